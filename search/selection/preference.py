"""The order of points within a budget, by preference.

`accuracy`: highest on validation; ties by fewer params, then MACs, then bytes. `params` and `latency`: least first;
ties by accuracy. `knee`: farthest above the line from the smallest to the most accurate of the points that fit,
accuracy over the logarithm of params (Kneedle, https://doi.org/10.1109/ICDCSW.2011.20): beyond the knee a point of
accuracy costs more params than before. The line changes with the points that fit, so no model outside a budget is
better than the knee within: the larger budget has a knee of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from compress.figures import TIES
from search.study.record import Point

ACCURACY, PARAMS, LATENCY, KNEE = PREFERENCES = ("accuracy", "params", "latency", "knee")
Order = Callable[[Point], tuple[float, ...]]


QUALITY = "quality"
"""The first preference by a name that suits every quality."""


def check_preference(prefer: str) -> None:
    """Raise ValueError for an unknown preference."""
    if prefer not in PREFERENCES:
        raise ValueError(f"prefer: unknown {prefer!r}, known are {', '.join(PREFERENCES)}")


def order(prefer: str, points: Sequence[Point]) -> Order:
    """Return a key that sorts `points`, the best first; ValueError for an unknown preference."""
    check_preference(prefer)
    if prefer == KNEE:
        above = above_line(points)
        return lambda point: (-above(point), *_by_accuracy(point))
    return lambda point: (_figure(prefer, point), *_by_accuracy(point))


def is_better(prefer: str, point: Point, than: Point) -> bool:
    """Return whether `point` is better than `than` in the preferred figure; no point is better than a knee."""
    return prefer != KNEE and _figure(prefer, point) < _figure(prefer, than)


def _figure(prefer: str, point: Point) -> float:
    if prefer == ACCURACY:
        return -point.measured.score_validation
    if prefer == PARAMS:
        return point.measured.params
    return math.inf if math.isnan(point.measured.latency_ms) else point.measured.latency_ms


def _by_accuracy(point: Point) -> tuple[float, ...]:
    m = point.measured
    return (-m.score_validation, *(cost.value(m) for cost in TIES))


def above_line(points: Sequence[Point]) -> Callable[[Point], float]:
    """Return a function for a point's height above the line of a knee, in accuracy; 0 at the line's ends.

    Heights are rounded to nine digits.
    """
    smallest = min(points, key=lambda point: (point.measured.params, -point.measured.score_validation), default=None)
    best = min(points, key=_by_accuracy, default=None)
    if smallest is None or best is None or smallest.measured.params == best.measured.params:
        return lambda point: 0.0

    def place(point: Point) -> float:
        return math.log1p(point.measured.params)

    low, rise = smallest.measured.score_validation, best.measured.score_validation
    slope = (rise - low) / (place(best) - place(smallest))

    def above(point: Point) -> float:
        return round(point.measured.score_validation - low - slope * (place(point) - place(smallest)), 9)

    return above
