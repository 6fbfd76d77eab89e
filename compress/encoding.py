"""Write recipes as plain JSON and hash the JSON. A frozen dataclass becomes `{"type": its name, ...fields}`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, cast

from compress.models import Model


def encode(value: object) -> object:
    """Convert frozen dataclasses, tuples and plain values to values that `json.dumps` takes."""
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    kind: Any = type(value)
    named = _fields(kind)
    if named is None:
        return value
    form: dict[str, object] = {"type": cast(Any, value).name}
    for name, is_float in named:
        setting = getattr(value, name)
        form[name] = float(setting) if is_float and isinstance(setting, int) else encode(setting)
    if isinstance(value, Model):  # left out when unset, as in hashes from before these fields
        form = {key: held for key, held in form.items() if (key, held) not in (("weights", None), ("shortcuts", 1.0))}
    return form


@cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...] | None:
    """Return the name of each field of a dataclass and whether the field is a float; None for any other class.

    A whole number in a float field is written as a float, so that equal recipes have equal hashes.
    """
    return tuple((one.name, one.type == "float") for one in fields(kind)) if is_dataclass(kind) else None


def digest(value: object) -> str:
    """Hash the value's JSON: 32 hexadecimal digits, the same on every machine."""
    text = json.dumps(encode(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
