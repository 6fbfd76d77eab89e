"""Errors caused by users, and checks with messages of the form "who: rule, got value"."""

from __future__ import annotations

import math
from collections.abc import Iterable

MOST_QUOTED = 300
"""Greatest number of characters quoted from an exception of a library or a user's own code."""


class RecipeError(ValueError):
    """Complaint about an impossible recipe, stage or setting; raised before any training."""


class MissingModel(RecipeError):
    """Complaint about a user's own network or optimizer whose function cannot be found."""


class StoreError(RuntimeError):
    """Failure to read back an entry of the store."""


class DiskError(StoreError):
    """Failure of the disk to take a write; later writes would fail as well."""


class ExportError(ValueError):
    """Complaint about a folder that is no export, or must not be overwritten."""


def said(error: BaseException) -> str:
    """Quote an exception of a library or a user's code: type and first line, at most `MOST_QUOTED` characters."""
    try:
        line = str(error).strip().partition("\n")[0]
    except Exception:  # a user's exception may fail to print itself
        line = ""
    line = line if len(line) <= MOST_QUOTED else f"{line[:MOST_QUOTED]}..."
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def check_share(who: str, value: object, *, low: float = 0.0) -> None:
    """Raise RecipeError unless `low <= value < 1`."""
    if not (isinstance(value, int | float) and low <= value < 1):
        raise RecipeError(f"{who} must be in [{low:g}, 1), got {value!r}")


def check_at_least(who: str, value: float, least: float) -> None:
    """Raise RecipeError unless `value` is a finite number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < least:
        raise RecipeError(f"{who} must be at least {least:g}, got {value!r}")


def check_whole(who: str, value: int, least: int) -> None:
    """Raise RecipeError unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise RecipeError(f"{who} must be a whole number of at least {least}, got {value!r}")


def check_above_zero(who: str, value: float) -> None:
    """Raise RecipeError unless `value` is a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise RecipeError(f"{who} must be above 0, got {value!r}")


def check_kind(who: str, value: object, kinds: tuple[type, ...]) -> None:
    """Raise RecipeError unless `value` is an instance of one of `kinds`; the message names the kinds."""
    if not isinstance(value, kinds):
        wanted = " or ".join("nothing" if k is type(None) else f"a {k.__name__}" for k in kinds)
        raise RecipeError(f"{who} must be {wanted}, got {value!r}")


def check_known(who: str, name: object, known: Iterable[str]) -> None:
    """Raise RecipeError unless `name` is in `known`; the message lists the known names."""
    names = sorted(known)
    if name not in names:
        raise RecipeError(f"{who}: unknown {name!r}, known are {', '.join(names)}")
