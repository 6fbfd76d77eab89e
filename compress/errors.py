"""The errors a user can cause, and the checks that raise them: who, rule, value."""

from __future__ import annotations

import math
from collections.abc import Iterable

MOST_QUOTED = 300
"""Characters of a library's or a user's own words in a sentence of ours."""


class RecipeError(ValueError):
    """A recipe, stage or setting that cannot be carried out; found before anything is trained."""


class MissingModel(RecipeError):
    """A network of the user's own whose function is not to be found here."""


class StoreError(RuntimeError):
    """An entry of the store that cannot be read back."""


class DiskError(StoreError):
    """The disk refuses what is to be kept; whatever comes next would fare no better."""


class ExportError(ValueError):
    """A folder that is no export, or one that must not be overwritten."""


def said(error: BaseException) -> str:
    """An exception of somebody else's code, to be quoted: its type and its first line, cut to `MOST_QUOTED`."""
    try:
        line = str(error).strip().partition("\n")[0]
    except Exception:  # a user's exception may fail to say what it is
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
    """Raise RecipeError unless `value` is an instance of one of `kinds`, naming them."""
    if not isinstance(value, kinds):
        wanted = " or ".join("nothing" if k is type(None) else f"a {k.__name__}" for k in kinds)
        raise RecipeError(f"{who} must be {wanted}, got {value!r}")


def check_known(who: str, name: object, known: Iterable[str]) -> None:
    """Raise RecipeError unless `name` is one of `known`, listing them."""
    names = sorted(known)
    if name not in names:
        raise RecipeError(f"{who}: unknown {name!r}, known are {', '.join(names)}")
