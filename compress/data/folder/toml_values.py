"""Values of a TOML file, read as a key needs: `read(who, value)`; DataError, with the key and the rule, for others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from compress.data.augmentation import Augment
from compress.data.splits import DataError

LARGEST_SIDE = 4096
BALANCED = "balanced"
"""Weights by class that give every class the same part in the loss: `N / (K * count)`, as scikit-learn's."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def size(who: str, value: Any) -> tuple[int, int]:
    """Read (height, width)."""
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2 or not all(_is_whole(side, 1, LARGEST_SIDE) for side in sides):
        raise DataError(
            f"{who} must be [height, width], or one number for both, from 1 to {LARGEST_SIDE}, got {value!r}"
        )
    return sides[0], sides[1]


def numbers(who: str, value: Any) -> tuple[float, ...]:
    """Read a number or a list of numbers."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(map(_is_number, values)):
        raise DataError(f"{who} must be a number, or a list of one a channel, got {value!r}")
    return tuple(map(float, values))


def number(who: str, value: Any) -> float:
    """Read a number."""
    if not _is_number(value):
        raise DataError(f"{who} must be a number, got {value!r}")
    return float(value)


def word(who: str, value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise DataError(f"{who} must be text, got {value!r}")
    return value


def one_of(*known: str) -> Callable[[str, Any], str]:
    """Return a reader of one of the known words."""

    def read(who: str, value: Any) -> str:
        if value not in known:
            raise DataError(f"{who}: unknown {value!r}, known are {', '.join(known)}")
        return str(value)

    return read


def words(who: str, value: Any) -> tuple[str, ...]:
    """Read a list of texts."""
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise DataError(f"{who} must be a list of texts, got {value!r}")
    return tuple(value)


def truth(who: str, value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise DataError(f"{who} must be true or false, got {value!r}")
    return value


def folder(who: str, value: Any) -> str:
    """Read the name of a folder beside `train/` and `test/`."""
    if not isinstance(value, str) or value in ("", ".", "..", "train", "test") or "/" in value or "\0" in value:
        raise DataError(f"{who} must be the name of a folder beside train/ and test/, such as 'val', got {value!r}")
    return value


def augment(who: str, value: Any) -> Augment:
    """Read an augmentation: `none`, or a table of crop and flip."""
    if value == "none":
        return Augment(0, False)
    if not isinstance(value, dict) or not value or set(value) - {"crop", "flip"}:
        raise DataError(f"{who} must be 'none', or a table such as {{crop = 4, flip = true}}, got {value!r}")
    crop, flip = value.get("crop", 0), value.get("flip", False)
    if not _is_whole(crop, 0, LARGEST_SIDE):
        raise DataError(f"{who}: crop must be a whole number of pixels, got {crop!r}")
    return Augment(crop, truth(f"{who}: flip", flip))


def weights(who: str, value: Any) -> str | dict[str, float]:
    """Read `BALANCED`, or numbers by class."""
    if value == BALANCED:
        return BALANCED
    if not isinstance(value, dict) or not value or not all(_is_number(one) and one >= 0 for one in value.values()):
        raise DataError(f"{who} must be {BALANCED!r}, or a number of at least 0 by class, got {value!r}")
    return {name: float(one) for name, one in value.items()}
