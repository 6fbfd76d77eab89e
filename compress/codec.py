"""Read recipes from plain JSON: type names written by `compress.encoding` are looked up in the registries."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from compress.distill import DISTILLERS
from compress.errors import RecipeError, check_known
from compress.lowrank import FACTORIZERS
from compress.models import Model
from compress.pruning import PRUNERS, SCHEDULES
from compress.quantize import QUANTIZERS
from compress.stages import STAGES, Recovery
from compress.training.settings import Training

METHODS: dict[str, dict[str, Any]] = {
    "distill": cast(dict[str, Any], DISTILLERS),
    "prune": cast(dict[str, Any], PRUNERS),
    "schedule": cast(dict[str, Any], SCHEDULES),
    "factorize": cast(dict[str, Any], FACTORIZERS),
    "quantize": cast(dict[str, Any], QUANTIZERS),
}
"""Every registered method, by kind and name."""

_TYPES: dict[str, Any] = {
    **{kind.name: kind for kind in (Model, Training, Recovery)},
    **STAGES,
    **{name: method for methods in METHODS.values() for name, method in methods.items()},
}


def decode(data: object) -> Any:
    """Invert `encode`, with tuples in place of lists; RecipeError for an unknown type or field."""
    if isinstance(data, list):
        return tuple(decode(item) for item in data)
    if not isinstance(data, dict):
        return data
    rest = {key: decode(item) for key, item in data.items() if key != "type"}
    check_known("recipe: type", data.get("type"), _TYPES)
    kind = _TYPES[data["type"]]
    unknown = sorted(set(rest) - {f.name for f in fields(kind)})
    if unknown:
        known = ", ".join(f.name for f in fields(kind)) or "none"
        raise RecipeError(f"{kind.name}: unknown setting {unknown[0]!r}, known are {known}")
    try:
        return kind(**rest)
    except TypeError as error:
        raise RecipeError(f"{kind.name}: {error}") from error
