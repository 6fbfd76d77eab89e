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
        return next((one for one in self._with(choices) if _seed(one.recipe) == self.seed), None)

    def curves(self, choices: Mapping[str, Any]) -> dict[int, list[Point]]:
        """Return the curves of a recipe by seed, in the order of making; a curve that is not whole is left out.

        A recipe whose models all came with other recipes has no trial of a further seed: families tell its models.
        """
        found = {_seed(t.recipe): list(t.points) for t in self._with(choices) if t.status == "complete" and t.points}
        own = found.get(self.seed, [])
        for seed in {seed for point in own for seed in self._same.get(point.id, {})} - found.keys():
            again = [self._same.get(point.id, {}).get(seed) for point in own]
            if None not in again:
                found[seed] = [point for point in again if point is not None]
        return dict(sorted(found.items()))

    def points(self, cell: Cell) -> dict[int, Point]:
        """Return the cell's point of each seed that has one."""
        if cell.within is None and (cell.at == FIRST or not isinstance(cell.at, str)):
            own = self.trial(cell.choices) or (self._begun_alike(cell.choices) if cell.at == FIRST else None)
            point = None if own is None or not own.points else at_place(list(own.points), cell.at)
            return {} if point is None else dict(sorted(self._same[point.family or point.id].items()))
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
        return {seed: _against(cell.by, value, base[seed]) for seed, value in found.items() if seed in base}

    def figure(self, name: str) -> Figure:
        """Return the figure that gives the values of a cell their form in words."""
        if name.partition(BESIDE)[0] == "ms":
            return figure_of(LATENCY, self.record)
        return figure_of(name.partition(BESIDE)[0], self.record)

    def _begun_alike(self, choices: Mapping[str, Any]) -> TrialRecord | None:
        """Return any trial with these choices among others: recipes that differ in later stages begin alike."""
        own = (trial for trial in self.record.trials if trial.points and _seed(trial.recipe) == self.seed)
        return next((trial for trial in own if choices.items() <= trial.choices.items()), None)

    def _with(self, choices: Mapping[str, Any]) -> list[TrialRecord]:
        return self._trials.get(_key(choices), [])

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


def _against(by: str, value: float, other: float) -> float:
    if by == "decrease":
        return 1 - value / other
    return other / value if by == "rate" else value - other


def _no_dearer(curve: list[Point], most: int) -> Point | None:
    fits = [point for point in curve if point.measured.macs <= most]
    return max(fits, key=lambda point: point.measured.macs, default=None)


def _seed(recipe: Mapping[str, Any]) -> int:
    return int(recipe["seed"])


def _key(choices: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset((name, value) for name, value in choices.items() if name != SEED)
