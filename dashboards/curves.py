"""Breakpoint curves: quality over sparsity, a line for every recipe and variant, with tolerance and knee.

The curve of a recipe run with several seeds goes through their means. Beside the tolerance of the mean curve stand the
tolerances of the single seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboards.models import Models
from search.study.breakpoints import DELTA, curves, knee, tolerance


@dataclass(frozen=True)
class Curve:
    """A line: `rows` of `Models` by rising sparsity, the row of its tolerance, and the row of its knee or None.

    `trial` is the first trial with these rows. `tolerances` are the sparsities in [0, 1) tolerated by each seed's
    curve.
    """

    trial: int
    variant: str
    rows: tuple[int, ...]
    tolerance: int
    knee: int | None
    tolerances: tuple[float, ...]


def info(models: Models, delta: float = DELTA) -> list[Curve]:
    """Return every curve of at least two points with its breakpoints, in the order of the trials.

    `delta` in [0, 1] is the score on validation that the tolerance may lose.
    """
    found: dict[tuple[int, ...], Curve] = {}
    for (trial, variant), points in curves(models.study).items():
        rows = tuple(models.row[point.id] for point in points)
        if len(points) < 2:
            continue
        if not any(point.family for point in points):
            found.setdefault(rows, _curve(models, trial, variant, rows, delta))
        if rows in found and (points[0].family or trial == found[rows].trial):
            tolerances = (*found[rows].tolerances, tolerance(points, delta).sparsity)
            found[rows] = replace(found[rows], tolerances=tolerances)
    return list(found.values())


def _curve(models: Models, trial: int, variant: str, rows: tuple[int, ...], delta: float) -> Curve:
    means = [models.means[row] for row in rows]
    bend = knee(means)
    tolerated = models.row[tolerance(means, delta).id]
    return Curve(trial, variant, rows, tolerated, None if bend is None else models.row[bend.id], ())
