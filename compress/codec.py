"""Recipes as plain JSON and back.

A frozen dataclass becomes `{"type": its name, ...fields}`; the name is looked up in the registries on the way back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, cast

from compress.distill import DISTILLERS
from compress.errors import RecipeError, check_known
from compress.lowrank import FACTORIZERS
from compress.models import Model
from compress.pruning import PRUNERS, SCHEDULES
from compress.quantize import QUANTIZERS
from compress.stage import STAGES, Recovery
from compress.training import Training

METHODS: dict[str, dict[str, Any]] = {
    "distill": cast(dict[str, Any], DISTILLERS),
    "prune": cast(dict[str, Any], PRUNERS),
    "schedule": cast(dict[str, Any], SCHEDULES),
    "factorize": cast(dict[str, Any], FACTORIZERS),
    "quantize": cast(dict[str, Any], QUANTIZERS),
}
"""Every method by kind and name."""

_TYPES: dict[str, Any] = {
    **{kind.name: kind for kind in (Model, Training, Recovery)},
    **STAGES,
    **{name: method for methods in METHODS.values() for name, method in methods.items()},
}


def encode(value: object) -> object:
    """Frozen dataclasses, tuples and plain values to what `json.dumps` takes."""
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    kind: Any = type(value)
    named = _fields(kind)
    if named is None:
        return value
    form: dict[str, object] = {"type": cast(Any, value).name}
    for name, is_float in named:
        one = getattr(value, name)
        form[name] = float(one) if is_float and isinstance(one, int) else encode(one)
    if isinstance(value, Model):  # most have neither, and hashes go over this form
        form = {name: one for name, one in form.items() if (name, one) not in (("weights", None), ("shortcuts", 1.0))}
    return form


@cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...] | None:
    """Names of a dataclass's fields, None for any other class.

    And whether one is of floats: a whole number there is a float, so that equal recipes have equal hashes.
    """
    return tuple((one.name, one.type == "float") for one in fields(kind)) if is_dataclass(kind) else None


def decode(data: object) -> Any:
    """The inverse of `encode`; lists become tuples. RecipeError for an unknown type or field."""
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


def digest(value: object) -> str:
    """A hash of the value's JSON: 32 hexadecimal digits, the same on every machine."""
    text = json.dumps(encode(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
