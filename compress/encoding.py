"""Recipes as plain JSON, and hashes of it. A frozen dataclass becomes `{"type": its name, ...fields}`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, cast

from compress.models import Model


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


def digest(value: object) -> str:
    """A hash of the value's JSON: 32 hexadecimal digits, the same on every machine."""
    text = json.dumps(encode(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
