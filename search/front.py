"""The front: the points no other point beats on all chosen objectives, and how much it dominates.

Inside, lower is better: accuracy becomes the error `1 - accuracy`, on the validation split. The hypervolume is taken
over the error and the logarithm of each cost relative to the reference, `log(1 + cost) / log(1 + reference)`, so that
it lies in [0, 1] and halving a small model counts as much as halving a large one. The reference point, accuracy 0 and
the costs of the space's unpruned teacher, is fixed when a study is made and written into it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from search.record import Point

COSTS = ("params", "nonzero_params", "macs", "flops", "size_bytes", "compressed_bytes", "latency_ms")
OBJECTIVES = ("accuracy", *COSTS)
DEFAULT_OBJECTIVES = ("accuracy", "params", "flops")


def check_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple; ValueError for an unknown one, a repeat, or fewer than two."""
    unknown = [name for name in names if name not in OBJECTIVES]
    if unknown:
        raise ValueError(f"objectives: unknown {unknown[0]!r}, known are {', '.join(OBJECTIVES)}")
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(f"objectives: need at least two different names, got {', '.join(names) or 'none'}")
    return tuple(names)


def value(point: Point, objective: str) -> float:
    """The objective of a point, lower is better: the validation error, or the cost as recorded."""
    if objective == "accuracy":
        return 1.0 - point.measured.accuracy_validation
    return float(getattr(point.measured, objective))


def values(points: Sequence[Point], objectives: Sequence[str]) -> NDArray[np.float64]:
    """Shape `(len(points), len(objectives))`, lower is better."""
    rows = [[value(point, name) for name in objectives] for point in points]
    return np.array(rows, dtype=float).reshape(len(points), len(objectives))


def front(points: Sequence[Point], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> list[Point]:
    """The non-dominated points by falling accuracy; of equal ones the first stays."""
    if not points:
        return []
    keep = moocore.is_nondominated(values(points, objectives), keep_weakly=False)
    chosen = [point for point, kept in zip(points, keep, strict=True) if kept]
    return sorted(chosen, key=lambda point: value(point, objectives[0]))


def hypervolume(points: Sequence[Point], objectives: Sequence[str], reference_point: Mapping[str, float]) -> float:
    """Share of the box between the ideal (error 0, cost 0) and the reference that the points dominate, in [0, 1]."""
    if not points:
        return 0.0
    scaled = values(points, objectives)
    for column, name in enumerate(objectives):
        if name != "accuracy":
            scaled[:, column] = np.log1p(scaled[:, column]) / math.log1p(reference_point[name])
        else:
            scaled[:, column] /= 1.0 - reference_point[name]
    return float(moocore.hypervolume(scaled, ref=np.ones(len(objectives))))
