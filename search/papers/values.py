"""The values of a paper's cells in a study, a value for each seed.

A cell names a recipe by its choices and a place on the recipe's curve. A model made with another seed is found by its
family, as two recipes with a common beginning share models, or by the trial that repeats the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compress.figures import LATENCY, Figure, graded
from search.study.axes import SEED, SPARSITY
from search.study.breakpoints import tolerance
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.table_figures import figure_of, has
from spaces.papers.paper import BEFORE_LAST, BREAKPOINT, FIRST, LAST, Cell, Place

BESIDE = "@"
"""Sign in a figure that is measured on a stored model afterwards: `ms@512`, `test@motion-blur`."""
Beside = Callable[[Point, str], float | None]
"""Returns such a figure of a point, None where the figure was not measured."""
_CLOSE = 1e-6


class Values:
    """The points and figures of cells in the study `record`; `beside` returns figures measured afterwards."""

    def __init__(self, record: StudyRecord, beside: Beside = lambda point, figure: None) -> None:
        self.record, self._beside = record, beside
        self._trials: dict[object, list[TrialRecord]] = {}
        self._same: dict[str, dict[int, Point]] = {}
        for trial in record.trials:
            self._trials.setdefault(_key(trial.choices), []).append(trial)
        for point in record.points:
            self._same.setdefault(point.family or point.id, {})[_seed(point.recipe)] = point
        self.seed = _seed(record.trials[0].recipe) if record.trials else 0

    def trial(self, choices: Mapping[str, Any]) -> TrialRecord | None:
        """Return the trial with exactly these choices and the study's own seed, None if not tried."""
        return next((one for one in self._trials.get(_key(choices), ()) if _seed(one.recipe) == self.seed), None)

    def curves(self, choices: Mapping[str, Any]) -> dict[int, list[Point]]:
        """Return the points of a recipe by seed, in the order of making; {} for a recipe not carried out."""
        own = self.trial(choices)
        found: dict[int, list[Point]] = {} if own is None else {self.seed: list(own.points)}
        for trial in self._trials.get(_key(choices), ()):
            found.setdefault(_seed(trial.recipe), list(trial.points))
        for place, point in enumerate([] if own is None else own.points):
            for seed, other in self._same.get(point.id, {}).items():
                curve = found.setdefault(seed, [])
                if other.id not in {one.id for one in curve}:
                    curve.insert(place, other)
        return {seed: curve for seed, curve in sorted(found.items()) if curve}

    def points(self, cell: Cell) -> dict[int, Point]:
        """Return the cell's points by seed; a seed without the point is left out."""
        curves = self.curves(cell.choices)
        if cell.within is not None:
            most = {seed: point.measured.macs for seed, point in self.points(cell.within).items()}
            found = {seed: _no_dearer(curve, most[seed]) for seed, curve in curves.items() if seed in most}
        else:
            found = {seed: at_place(curve, cell.at) for seed, curve in curves.items()}
        return {seed: point for seed, point in found.items() if point is not None}

    def of(self, cell: Cell, *, scores: bool = False) -> dict[int, float]:
        """Return the cell's value of each seed; with `scores` a quality is a score, of which more is better."""
        found = {}
        for seed, point in self.points(cell).items():
            value = self._value(point, cell.figure, scores=scores)
            if value is not None:
                found[seed] = value
        if cell.of is None:
            return found
        base = self.of(cell.of, scores=scores)
        share = {
            "decrease": lambda value, other: 1 - value / other,
            "rate": lambda value, other: other / value,
            "difference": lambda value, other: value - other,
        }[cell.by]
        return {seed: share(value, base[seed]) for seed, value in found.items() if seed in base}

    def figure(self, name: str) -> Figure:
        """Return the figure that gives the values of a cell their form in words."""
        if name.partition(BESIDE)[0] == "ms":
            return figure_of(LATENCY, self.record)
        return figure_of(name.partition(BESIDE)[0], self.record)

    def _value(self, point: Point, name: str, *, scores: bool) -> float | None:
        if BESIDE in name:
            value = self._beside(point, name)
            is_quality = not name.startswith("ms")
            return self.record.quality.score(value) if scores and is_quality and value is not None else value
        if name == SPARSITY:
            return point.sparsity
        figure = figure_of(name, self.record)
        if not has(figure, point):
            return None
        if scores and figure.split and figure in graded(self.record.quality):
            return float(getattr(point.measured, figure.name))
        return float(figure.value(point.measured))


def at_place(curve: list[Point], place: Place) -> Point | None:
    """Return the point of a curve at a place, None for a place without a point."""
    if place == FIRST:
        return curve[0]
    if place == BEFORE_LAST:
        return curve[-2] if len(curve) > 1 else None
    if place == LAST:
        return curve[-1]
    if place == BREAKPOINT:
        return tolerance(sorted(curve, key=lambda point: point.sparsity))
    assert not isinstance(place, str)
    return next((point for point in curve if abs(point.sparsity - place) < _CLOSE), None)


def _no_dearer(curve: list[Point], most: int) -> Point | None:
    fits = [point for point in curve if point.measured.macs <= most]
    return max(fits, key=lambda point: point.measured.macs, default=None)


def _seed(recipe: Mapping[str, Any]) -> int:
    return int(recipe["seed"])


def _key(choices: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset((name, value) for name, value in choices.items() if name != SEED)
