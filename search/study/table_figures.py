"""Figures a table can have in its cells: the quality on a split, costs, and metrics measured beside the quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compress.figures import COSTS, Figure, Style, graded
from compress.measurement import Measurement
from search.study.record import Better, Point, StudyRecord

if TYPE_CHECKING:
    from compress.goals.goal import Goal
    from compress.goals.metrics import Meter


@dataclass(frozen=True)
class Metric(Figure):
    """A metric measured beside the quality, in its own unit; `name` is the key in `Measurement.metrics`.

    `better` is the metric's better direction, None where the study does not record the direction.
    """

    better: Better | None = None

    def value(self, measured: Measurement) -> float:
        """Return the metric of one model."""
        return measured.metrics[self.name]


def figure_of(name: str, record: StudyRecord) -> Figure:
    """Return the figure by its key or name, such as `test`, `params` or `f1_test`; ValueError for an unknown name."""
    figures = (*graded(record.quality), *COSTS)
    for one in figures:
        if name in (one.key, one.name, f"{one.quality.name}_{one.split}"):
            return one
    metrics = sorted({key for point in record.points for key in point.measured.metrics})
    if name not in metrics:
        known = ", ".join((*(one.key for one in figures), *metrics))
        raise ValueError(f"table: value: unknown {name!r}, known are {known}")
    title, _, split = name.rpartition("_")
    return Metric(name, title, Style(name, ".4g"), scope=f" on {split}", split=split, better=record.metrics.get(title))


def figure_key(figure: Figure) -> str:
    """Return the name under which `figure_of` finds the figure."""
    return figure.name if isinstance(figure, Metric) else figure.key


def has(figure: Figure, point: Point) -> bool:
    """Whether the figure was measured of the point's model: a metric is missing in records from before it."""
    return not isinstance(figure, Metric) or figure.name in point.measured.metrics


def directions(goal: Goal) -> dict[str, Better]:
    """Return the better direction of every metric a goal has beside its quality; a metric may have no direction."""
    found = {metric.name: _direction(metric) for metric in goal.also_metrics()}
    return {name: better for name, better in found.items() if better is not None}


def _direction(metric: Meter) -> Better | None:
    from compress.goals.metrics import MetricError  # loads torch, and `--help` does not wait

    try:
        return "higher" if metric.higher_is_better else "lower"
    except MetricError:
        return None


def is_better(figure: Figure) -> Better | None:
    """Return the better direction of a figure; None for a metric whose direction the study does not record."""
    if isinstance(figure, Metric):
        return figure.better
    return "lower" if figure.is_cost or not figure.quality.higher_is_better else "higher"
