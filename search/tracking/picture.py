"""Picture of a study for the page of its run in MLflow, an SVG: the front, and the best models at falling budgets.

MLflow shows 100 pixels of a run's note until a click, so the picture is low and wide.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

from compress.figures import Figure, graded, named
from search.study.record import Point, StudyRecord
from search.study.seeds import front_of
from search.tracking.chart import size_of
from search.tracking.tables import best_models, model_said

WIDTH, HEIGHT = 700, 68
LEFT, RIGHT, TOP, BOTTOM = 52, 280, 4, 54
"""Edges of the plot in the picture."""
COLUMNS = (392, 462, 520, 590, 602)
"""Right edges of the table's columns of figures; the last is the left edge of the column of models."""
LINE = 13
MOST_ROWS = 4
MOST_DOTS = 400
"""Greatest number of points drawn beside the front, evenly picked."""
_STYLE = "font-family='system-ui, sans-serif' font-size='11' fill='#1b1f23'"


class Place(NamedTuple):
    """A size and a quality in its own unit."""

    size: float
    quality: float


def picture(study: StudyRecord) -> str:
    """Draw the front over all points, quality upwards and size on a logarithmic axis, beside the best models."""
    quality, size = graded(study.quality)[0], named(size_of(study))[0]
    others = [
        _place(point, quality, size) for point in study.points[:: max(1, math.ceil(len(study.points) / MOST_DOTS))]
    ]
    best = [_place(family.mean, quality, size) for family in front_of(study.points, study.objectives)]
    places = [one for one in (*others, *best) if all(map(math.isfinite, one))]
    parts = [_plot(places, [one for one in best if one in places], quality, size)] if places else []
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}' {_STYLE}>"
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>{''.join([*parts, *_table(study)])}</svg>"
    )


def _place(point: Point, quality: Figure, size: Figure) -> Place:
    return Place(size.value(point.measured), quality.value(point.measured))


def _plot(places: Sequence[Place], best: Sequence[Place], quality: Figure, size: Figure) -> str:
    """Draw the dots, the front's in colour and joined, and the ends of both axes."""
    logs = [math.log10(max(one.size, 1e-9)) for one in places]
    low, high = sorted((min(one.quality for one in places), max(one.quality for one in places)))
    better, worse = (high, low) if quality.is_least else (low, high)

    def at(one: Place) -> tuple[float, float]:
        along = (math.log10(max(one.size, 1e-9)) - min(logs)) / ((max(logs) - min(logs)) or 1.0)
        down = (one.quality - better) / ((worse - better) or 1.0)
        return round(LEFT + 6 + along * (RIGHT - LEFT - 12), 1), round(TOP + down * (BOTTOM - TOP - 4), 1)

    found = [at(one) for one in sorted(best)]
    dots = [f"<circle cx='{x}' cy='{y}' r='1.5' fill='#b6bdc6'/>" for x, y in map(at, set(places) - set(best))]
    line = " ".join(f"{x},{y}" for x, y in found)
    front = [f"<circle cx='{x}' cy='{y}' r='2.5' fill='#1f77b4'/>" for x, y in found]
    sizes = [size.style.text(extreme(one.size for one in places)) for extreme in (min, max)]
    return "".join(
        [
            f"<path d='M{LEFT} {TOP - 4}V{BOTTOM}H{RIGHT}' fill='none' stroke='#6b7480'/>",
            *dots,
            f"<polyline points='{line}' fill='none' stroke='#1f77b4'/>",
            *front,
            _text(LEFT - 4, TOP + 6, quality.style.text(better), "end"),
            _text(LEFT - 4, BOTTOM, quality.style.text(worse), "end"),
            _text(LEFT, BOTTOM + 12, sizes[0], "start"),
            _text((LEFT + RIGHT) / 2, BOTTOM + 12, size.style.unit, "middle"),
            _text(RIGHT, BOTTOM + 12, sizes[1], "end"),
        ]
    )


def _table(study: StudyRecord) -> list[str]:
    """Write the best models at falling budgets as text, a line each; the least budgets are left out if too many."""
    validation, test = graded(study.quality)
    rows = [("params at most", validation.label, test.label, "params", "best model")]
    for share, rated in best_models(study)[:MOST_ROWS]:
        scores = [
            one.style.text(study.quality.value(score))
            for one, score in ((validation, rated.family.validation), (test, rated.family.test))
        ]
        params = named("params")[0].written(rated.point.measured)
        rows.append((f"{share:.0%} of teacher", *scores, params, model_said(rated.point)))  # type: ignore[arg-type]
    if len(rows) == 1:
        return []
    return [
        _text(x, 11 + LINE * number, cell, "start" if x == COLUMNS[-1] else "end", bold=number == 0)
        for number, row in enumerate(rows)
        for x, cell in zip(COLUMNS, row, strict=True)
    ]


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = " font-weight='600'" if bold else ""
    return f"<text x='{x}' y='{y}' text-anchor='{anchor}'{weight}>{html.escape(text)}</text>"
