"""What makes one point within a budget better than another.

`accuracy`: highest on validation, ties by fewer params, then MACs, then bytes. `params` and `latency`: fewest, least;
ties by accuracy. `knee`: farthest above the line between the smallest and the most accurate of the points that fit,
accuracy over the logarithm of params (Kneedle, https://doi.org/10.1109/ICDCSW.2011.20): from there on a point more of
accuracy costs more params than before. That line moves with what fits, so no model outside a budget is better than a
knee within it: the larger budget has a knee of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from compress.figures import TIES
from search.study.record import Point

ACCURACY, PARAMS, LATENCY, KNEE = PREFERENCES = ("accuracy", "params", "latency", "knee")
Order = Callable[[Point], tuple[float, ...]]


def check_preference(prefer: str) -> None:
    """ValueError for an unknown one."""
    if prefer not in PREFERENCES:
        raise ValueError(f"prefer: unknown {prefer!r}, known are {', '.join(PREFERENCES)}")


def order(prefer: str, points: Sequence[Point]) -> Order:
    """A key that sorts `points`, the best first; ValueError for an unknown preference."""
    check_preference(prefer)
    if prefer == KNEE:
        above = above_line(points)
        return lambda point: (-above(point), *_by_accuracy(point))
    return lambda point: (_figure(prefer, point), *_by_accuracy(point))


def is_better(prefer: str, point: Point, than: Point) -> bool:
    """In what is preferred itself; nothing is better than a knee."""
    return prefer != KNEE and _figure(prefer, point) < _figure(prefer, than)


def _figure(prefer: str, point: Point) -> float:
    if prefer == ACCURACY:
        return -point.measured.accuracy_validation
    if prefer == PARAMS:
        return point.measured.params
    return math.inf if math.isnan(point.measured.latency_ms) else point.measured.latency_ms


def _by_accuracy(point: Point) -> tuple[float, ...]:
    m = point.measured
    return (-m.accuracy_validation, *(cost.value(m) for cost in TIES))


def above_line(points: Sequence[Point]) -> Callable[[Point], float]:
    """How far a point is above the line of a knee, in accuracy to nine digits; the ends of the line are 0 above it."""
    smallest = min(points, key=lambda point: (point.measured.params, -point.measured.accuracy_validation), default=None)
    best = min(points, key=_by_accuracy, default=None)
    if smallest is None or best is None or smallest.measured.params == best.measured.params:
        return lambda point: 0.0

    def place(point: Point) -> float:
        return math.log1p(point.measured.params)

    low, rise = smallest.measured.accuracy_validation, best.measured.accuracy_validation
    slope = (rise - low) / (place(best) - place(smallest))

    def above(point: Point) -> float:
        return round(point.measured.accuracy_validation - low - slope * (place(point) - place(smallest)), 9)

    return above
