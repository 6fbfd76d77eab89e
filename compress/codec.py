"""Recipes as plain JSON and back.

A frozen dataclass becomes `{"type": its name, ...fields}`; the name is looked up in the registries on the way back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import Field, fields, is_dataclass
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
    if is_dataclass(value) and not isinstance(value, type):
        named = cast(Any, value).name
        given = {f.name: _field(f, getattr(value, f.name)) for f in fields(value)}
        if isinstance(value, Model):  # most have neither, and hashes go over this form
            given = {name: v for name, v in given.items() if (name, v) not in (("weights", None), ("shortcuts", 1.0))}
        return {"type": named, **given}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def _field(of: Field[Any], value: object) -> object:
    """A whole number in a field of floats is a float, so that equal recipes have equal hashes."""
    return float(value) if of.type == "float" and isinstance(value, int) else encode(value)


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
