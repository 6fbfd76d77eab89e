"""Breakpoint curves: accuracy over sparsity, one line a recipe and variant, with both readings.

Where a recipe was carried out with several seeds its curve is that of the means, and the tolerance of every single seed
stands beside the mean curve's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboards.models import Models
from search.study.breakpoints import DELTA, curves, knee, tolerance


@dataclass(frozen=True)
class Curve:
    """One line: `rows` of `Models` by rising sparsity, and the rows of its tolerance and, if there is one, its knee.

    `trial` is the first that has it; `tolerances` are the sparsities in [0, 1) that each seed's own curve tolerates.
    """

    trial: int
    variant: str
    rows: tuple[int, ...]
    tolerance: int
    knee: int | None
    tolerances: tuple[float, ...]


def info(models: Models, delta: float = DELTA) -> list[Curve]:
    """Every curve of at least two points with its breakpoints, in the order of the trials.

    `delta` in [0, 1] is the validation accuracy that the tolerance may lose.
    """
    found: dict[tuple[int, ...], Curve] = {}
    for (trial, variant), points in curves(models.study).items():
        rows = tuple(models.row[point.id] for point in points)
        if len(points) < 2:
            continue
        if not any(point.family for point in points):
            found.setdefault(rows, _curve(models, trial, variant, rows, delta))
        if rows in found and (points[0].family or trial == found[rows].trial):
            held = (*found[rows].tolerances, tolerance(points, delta).sparsity)
            found[rows] = replace(found[rows], tolerances=held)
    return list(found.values())


def _curve(models: Models, trial: int, variant: str, rows: tuple[int, ...], delta: float) -> Curve:
    means = [models.means[row] for row in rows]
    bend = knee(means)
    held = models.row[tolerance(means, delta).id]
    return Curve(trial, variant, rows, held, None if bend is None else models.row[bend.id], ())
