"""The front, the points not dominated on the chosen objectives, and the front's hypervolume.

Inside, lower is better: the quality becomes the error `1 - score`, on the validation split. The hypervolume is taken
over the error and over each cost as `log(1 + cost) / log(1 + reference)`, and lies in [0, 1]: halving a small model
counts as much as halving a large model. The reference point is accuracy 0, or the score of the best constant answer for
another quality, and the costs of the space's unpruned teacher, fixed when a study is made and written into the study.
The latency of the reference is the teacher's, once the trials have measured the teacher.

A latency holds on one device. Where latency is an objective, points of different devices, machines or numbers of
threads do not dominate each other: the front is the union of the fronts of each device, and the hypervolume the largest
of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from compress.errors import near
from compress.figures import COSTS, LATENCY
from compress.quality import ACCURACY, Quality
from search.study.record import Point

Place = tuple[str, str, int]
"""Device, machine and number of threads of a latency."""
ANYWHERE: Place = ("", "", 0)
"""Place of a point where latency is no objective."""
OBJECTIVES = (ACCURACY.name, *(cost.name for cost in COSTS))
DEFAULT_OBJECTIVES = (ACCURACY.name, "params", "flops")
ANY_QUALITY = "quality"
"""Objective for the quality of the task, whatever its name."""


def is_quality(objective: str) -> bool:
    """Return whether an objective is the quality: every other objective is a cost."""
    return objective not in OBJECTIVES[1:]


def objectives_of(names: Sequence[str], quality: Quality) -> tuple[str, ...]:
    """Return objectives with the quality by its own name; ValueError for the name of another quality."""
    asked = [ANY_QUALITY if name == ACCURACY.name else name for name in names]
    asked = asked if tuple(names) == DEFAULT_OBJECTIVES else list(names)
    found = [quality.name if name == ANY_QUALITY else name for name in asked]
    wrong = [name for name in found if is_quality(name) and name != quality.name]
    if wrong:
        known = (quality.name, *OBJECTIVES[1:])
        raise ValueError(f"objectives: unknown {wrong[0]!r}, {near(wrong[0], known)}known are {', '.join(known)}")
    return tuple(found)


def check_objectives(names: Sequence[str], *, any_quality: bool = False) -> tuple[str, ...]:
    """Return the names as a tuple; ValueError for an unknown name, a repeat, two synonyms, or fewer than two.

    With `any_quality` one name may be that of a quality known only to the task.
    """
    unknown = [name for name in names if name not in (*OBJECTIVES, ANY_QUALITY)]
    if len(unknown) > any_quality:
        hint = near(unknown[0], OBJECTIVES)
        raise ValueError(f"objectives: unknown {unknown[0]!r}, {hint}known are {', '.join(OBJECTIVES)}")
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(f"objectives: need at least two different names, got {', '.join(names) or 'none'}")
    if {"macs", "flops"} <= set(names):
        raise ValueError(f"objectives: flops are twice the macs, so name one of them, got {', '.join(names)}")
    return tuple(names)


def value(point: Point, objective: str) -> float:
    """Return the objective of a point, lower is better: the validation error, or the cost as recorded."""
    if is_quality(objective):
        return 1.0 - point.measured.score_validation
    return float(getattr(point.measured, objective))


def values(points: Sequence[Point], objectives: Sequence[str]) -> NDArray[np.float64]:
    """Return the objectives `(len(points), len(objectives))`, lower is better."""
    rows = [[value(point, name) for name in objectives] for point in points]
    return np.array(rows, dtype=float).reshape(len(points), len(objectives))


def measured_on(point: Point, objectives: Sequence[str] = (LATENCY,)) -> Place:
    """Return the place of the point's latency if latency is an objective: only points of equal place are compared."""
    m = point.measured
    return (m.device, m.machine, m.threads) if LATENCY in objectives else ANYWHERE


def mixed(points: Iterable[Point], objectives: Sequence[str]) -> str:
    """Say in a sentence that not all points are compared with each other; "" where all are."""
    places = {measured_on(point, objectives) for point in points}
    if len(places) < 2:
        return ""
    named = sorted(
        f"{device} ({', '.join((*([machine] if machine else []), _threads(n)))})" for device, machine, n in places
    )
    return f"latencies were measured on {' and '.join(named)}: points are compared only with those of the same"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def front(points: Sequence[Point], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> list[Point]:
    """Return the non-dominated points by falling accuracy; of equal points the first stays."""
    if not points:
        return []
    chosen: list[Point] = []
    for some in _by_place(points, objectives):
        keep = moocore.is_nondominated(values(some, objectives), keep_weakly=False)
        chosen += [point for point, kept in zip(some, keep, strict=True) if kept]
    return sorted(chosen, key=lambda point: value(point, objectives[0]))


def hypervolume(points: Sequence[Point], objectives: Sequence[str], reference_point: Mapping[str, float]) -> float:
    """Return the share of the box between ideal and reference that the points dominate, in [0, 1].

    The ideal has error 0 and cost 0.
    """
    fronts = _by_place(front(points, objectives), objectives)
    return max((_volume(values(some, objectives), objectives, reference_point) for some in fronts), default=0.0)


def _by_place(points: Sequence[Point], objectives: Sequence[str]) -> list[list[Point]]:
    found: dict[Place, list[Point]] = {}
    for point in points:
        found.setdefault(measured_on(point, objectives), []).append(point)
    return list(found.values())


class GrowingFront:
    """Front and hypervolume of a growing set of points, equal to `front` and `hypervolume` of all points so far."""

    def __init__(self, objectives: Sequence[str], reference_point: Mapping[str, float]) -> None:
        self.objectives, self.reference_point = tuple(objectives), dict(reference_point)
        self._points: list[Point] = []
        self._rows = values([], self.objectives)
        self._kinds = np.zeros(0, dtype=int)
        self._places: dict[Place, int] = {}
        self._known_volume: float | None = 0.0

    def __len__(self) -> int:
        return len(self._points)

    def measure_against(self, reference_point: Mapping[str, float]) -> None:
        """Set another reference, such as the teacher's measured latency; the front does not depend on the reference."""
        if self.reference_point != dict(reference_point):
            self.reference_point = dict(reference_point)
            self._known_volume = None

    def add(self, point: Point) -> bool:
        """Add a point; return whether the point is on the front now. A point equal to a member is not."""
        row = values([point], self.objectives)
        kind = self._places.setdefault(measured_on(point, self.objectives), len(self._places))
        alike = self._kinds == kind
        if (alike & (self._rows <= row).all(axis=1)).any():
            return False
        stays: NDArray[np.bool_] = ~alike | np.any(row > self._rows, axis=1)
        if not stays.all():
            self._points = [member for member, kept in zip(self._points, stays, strict=True) if kept]
        self._points.append(point)
        self._rows = np.concatenate([self._rows[stays], row])
        self._kinds = np.append(self._kinds[stays], kind)
        self._known_volume = None
        return True

    @property
    def points(self) -> list[Point]:
        """Return the non-dominated points by falling accuracy; of equal points the first added."""
        return [self._points[place] for place in self._order()]

    @property
    def hypervolume(self) -> float:
        """Return the hypervolume, in [0, 1]."""
        if self._known_volume is None:
            order = self._order()
            rows, kinds = self._rows[order], self._kinds[order]
            each = (_volume(rows[kinds == kind], self.objectives, self.reference_point) for kind in np.unique(kinds))
            self._known_volume = max(each, default=0.0)
        return self._known_volume

    def _order(self) -> NDArray[np.intp]:
        return np.argsort(self._rows[:, 0], kind="stable")


def _volume(rows: NDArray[np.float64], objectives: Sequence[str], reference_point: Mapping[str, float]) -> float:
    """Return the hypervolume of a front's rows; the order of the rows decides the rounding."""
    if not len(rows):
        return 0.0
    scaled = np.empty_like(rows)
    for column, name in enumerate(objectives):
        if not is_quality(name):
            scaled[:, column] = np.log1p(rows[:, column]) / math.log1p(reference_point[name])
        else:
            scaled[:, column] = rows[:, column] / (1.0 - reference_point[name])
    return float(moocore.hypervolume(scaled, ref=np.ones(len(objectives))))
