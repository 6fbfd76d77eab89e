"""Names under which a table sorts points: choices of the space, and words of the recipe, each with the point's value.

A recipe says `student`, `teacher`, `stages`, `distiller`, `recovery distiller`, `pruner`, `factorizer` and `schedule`;
a point says `sparsity` and `variant`. Where a space asks for a choice of one of the recipe's names, the choice counts.
The seed is no name: a table takes the mean over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from search.study.record import Choice, Point, TrialRecord

ABSENT = "none"
"""Value of a method or network that a recipe does without."""
SEED = "seed"
SPARSITY = "sparsity"
_CLOSE = 1e-4
"""Numbers closer than this, relative to the larger, are one value."""


class Sorted(NamedTuple):
    """A point, and the value of every name for it."""

    point: Point
    values: Mapping[str, Choice]


def values_of(trial: TrialRecord, point: Point) -> dict[str, Choice]:
    """Return the value of every name for a point of a trial; `sparsity` and `int8` are the point's own."""
    own: dict[str, Choice] = {SPARSITY: point.sparsity, "variant": point.variant}
    choices = {name: choice for name, choice in trial.choices.items() if name != SEED}
    if "int8" in choices:
        own["int8"] = point.variant == "int8"
    return {**_words_of(trial.recipe), **choices, **own}


def shown(name: str, value: Choice) -> str:
    """Return a value in words: sparsity in percent, `yes` and `no`, `none` for None."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == SPARSITY and isinstance(value, int | float):
        return f"{100 * value:.4g}%"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def is_value(name: str, text: str, value: Choice) -> bool:
    """Whether a typed text names the value: as `shown`, or as a number; `50%` is .5."""
    if text == shown(name, value) or text == str(value):
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        number = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return False
    return math.isclose(number, value, rel_tol=_CLOSE, abs_tol=1e-9)


def in_order(values: Iterable[Choice]) -> list[Choice]:
    """Return the values sorted: numbers by size, then words by letters, then None."""
    return sorted(values, key=_rank)


def check_names(rows: Sequence[str], columns: Sequence[str], points: Iterable[Sorted]) -> None:
    """Raise ValueError for no row, an unknown name, or a name twice."""
    known, every = _known(points), (*rows, *columns)
    if not rows:
        raise ValueError(f"table: rows must name a choice, got none; known are {', '.join(known)}")
    for name in every:
        if name not in known:
            what = "rows" if name in rows else "columns"
            raise ValueError(f"table: {what}: unknown {name!r}, known are {', '.join(known)}")
        if every.count(name) > 1:
            raise ValueError(f"table: rows and columns must have different names, got {name!r} twice")


def restricted(points: Sequence[Sorted], only: Sequence[str]) -> list[Sorted]:
    """Return the points with the values of `only`, each item as `NAME=VALUE,VALUE`.

    ValueError for an item of another form, an unknown name, or a value of no point.
    """
    found = list(points)
    for item in only:
        name, _, listed = (part.strip() for part in item.partition("="))
        if not name or not listed:
            raise ValueError(f"table: only must be as NAME=VALUE or NAME=VALUE,VALUE, got {item!r}")
        there = in_order({each.values[name] for each in points if name in each.values})
        if not there:
            raise ValueError(f"table: only: unknown {name!r}, known are {', '.join(_known(points))}")
        wanted: list[Choice] = []
        for text in map(str.strip, listed.split(",")):
            fits = [one for one in there if is_value(name, text, one)]
            if not fits:
                known = ", ".join(shown(name, one) for one in there)
                raise ValueError(f"table: only: {name} must be of {known}, got {text!r}")
            wanted += fits
        found = [each for each in found if name in each.values and each.values[name] in wanted]
    return found


def _known(points: Iterable[Sorted]) -> list[str]:
    return sorted({name for each in points for name in each.values})


def _rank(value: Choice) -> tuple[int, float, str]:
    if value is None or value == ABSENT:
        return (2, 0.0, "")
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, str(value))


def _words_of(recipe: Mapping[str, Any]) -> dict[str, Choice]:
    """Return the recipe's words from its JSON, which may be of another version; a missing part is `ABSENT`."""
    stages = [stage for stage in _listed(recipe.get("stages")) if isinstance(stage, Mapping)]
    kinds = [str(stage.get("type")) for stage in stages]
    first = stages[0] if stages else {}
    found = {
        "student": _model(recipe.get("student")),
        "teacher": _model(recipe.get("teacher")),
        "stages": ", ".join(kind for kind in kinds if kind != "quantize"),
        "distiller": _type(first.get("method")) if first.get("type") == "distill" else ABSENT,
        "recovery distiller": ABSENT,
        "pruner": ABSENT,
        "factorizer": ABSENT,
        "schedule": ABSENT,
    }
    for stage in stages:
        for name, kind in (("pruner", "prune"), ("factorizer", "factorize")):
            if stage.get("type") == kind:
                found[name] = _type(stage.get("method"))
        if isinstance(stage.get("schedule"), Mapping):
            found["schedule"] = _type(stage["schedule"])
        if isinstance(stage.get("recovery"), Mapping):
            found["recovery distiller"] = _type(stage["recovery"].get("distiller"))
    return dict(found)


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()


def _type(method: object) -> str:
    return str(method.get("type", ABSENT)) if isinstance(method, Mapping) else ABSENT


def _model(model: object) -> str:
    """Return a network in words, as `str(Model)`: family, file of weights, width."""
    if not isinstance(model, Mapping):
        return ABSENT
    weights = f"@{str(model['weights']).rpartition('/')[2]}" if model.get("weights") else ""
    width = model.get("width", 1)
    wide = f" x{width:g}" if isinstance(width, int | float) and width != 1 else ""
    return f"{str(model.get('family')).rpartition('/')[2]}{weights}{wide}"
