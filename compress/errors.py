"""Errors caused by users, quotations of exceptions, and checks with messages of the form "who: rule, got value"."""

from __future__ import annotations

import math
import sysconfig
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

MOST_QUOTED = 300
"""Greatest number of characters quoted from an exception of a library or a user's own code."""
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_MOST_OPEN = 3
"""Open brackets closed again in a shortened text; a text with more is no list."""
_OURS = ("compress", "dashboards", "paretune", "search", "spaces")
_ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = tuple(Path(sysconfig.get_paths()[name]).resolve() for name in ("stdlib", "platstdlib"))


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
    """Quote an exception of a library or a user's code: type, first sentence, and place in the user's own files.

    The sentence has at most about `MOST_QUOTED` characters. It ends with its line, or with the list begun in the line.
    """
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # a user's exception may fail to print itself
        lines = []
    sentence = lines[0] if lines else ""
    for line in lines[1:]:
        if len(sentence) > MOST_QUOTED or not _left_open(sentence):
            break
        sentence = f"{sentence} {line.strip()}"
    place = place_of(error)
    what = f"{type(error).__name__}: {shortened(sentence)}" if sentence else type(error).__name__
    return f"{what} ({place})" if place else what


def shortened(text: str, most: int = MOST_QUOTED) -> str:
    """Return the text, beyond `most` characters cut between two words; brackets left open are closed.

    A word longer than the rest of the text is cut itself.
    """
    if len(text) <= most:
        return text
    whole, _, rest = text[:most].rpartition(" ")
    kept = whole if len(whole) >= len(rest) else text[:most]
    closing = _left_open(kept)
    return f"{kept.rstrip(' ,')}, ...{closing} ..." if closing else f"{kept.rstrip()} ..."


def _left_open(text: str) -> str:
    """Return the brackets that close those left open in the text, "" for more than `_MOST_OPEN`."""
    closing: list[str] = []
    for character in text:
        if character in _PAIRS:
            closing.append(_PAIRS[character])
        elif closing and character == closing[-1]:
            closing.pop()
    return "".join(reversed(closing)) if len(closing) <= _MOST_OPEN else ""


def place_of(error: BaseException) -> str:
    """Return `FILE.py line N`, the innermost place in a user's own file that the exception came by, "" for none."""
    frames = [(Path(one.filename), one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    own = [f"{file.name} line {line}" for file, line in frames if file.suffix == ".py" and _is_users(file)]
    return own[-1] if own else ""


def is_complaint(error: BaseException) -> bool:
    """Return whether the exception is a complaint about values, raised by this project's code."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError) and bool(frames) and _is_ours(Path(frames[-1].filename))


def _is_ours(file: Path) -> bool:
    return any(file.resolve().is_relative_to(_ROOT / name) for name in _OURS)


def _is_users(file: Path) -> bool:
    outside = not {"site-packages", "dist-packages"}.intersection(file.parts)
    return outside and not _is_ours(file) and not any(file.resolve().is_relative_to(one) for one in _LIBRARIES)


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


def near(name: object, known: Iterable[str]) -> str:
    """Return the question whether the nearest known name was meant, "" where none is near."""
    return "".join(f"did you mean {one}? " for one in get_close_matches(str(name), list(known), 1))


def check_known(who: str, name: object, known: Iterable[str]) -> None:
    """Raise RecipeError unless `name` is in `known`; the message lists the known names."""
    names = sorted(known)
    if name not in names:
        raise RecipeError(f"{who}: unknown {name!r}, known are {', '.join(names)}")
