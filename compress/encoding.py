"""Write recipes as plain JSON and hash the JSON. A frozen dataclass becomes `{"type": its name, ...fields}`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, cast


def encode(value: object) -> object:
    """Convert frozen dataclasses, tuples and plain values to values that `json.dumps` takes.

    A field in the class's tuple `added` is left out at its default, as in hashes from before the field.
    """
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    kind: Any = type(value)
    named = _fields(kind)
    if named is None:
        return value
    form: dict[str, object] = {"type": cast(Any, value).name}
    added = getattr(kind, "added", ())
    for name, is_float in named:
        setting = getattr(value, name)
        if name in added and setting == getattr(kind, name):
            continue
        form[name] = float(setting) if is_float and isinstance(setting, int) else encode(setting)
    return form


@cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...] | None:
    """Return the name of each field of a dataclass and whether the field is a float; None for any other class.

    A whole number in a float field is written as a float, so that equal recipes have equal hashes.
    """
    floats = ("float", "float | None")
    return tuple((one.name, one.type in floats) for one in fields(kind)) if is_dataclass(kind) else None


def digest(value: object) -> str:
    """Hash the value's JSON: 32 hexadecimal digits, the same on every machine."""
    text = json.dumps(encode(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
