"""The models of a study, the quality over a cost: every model, the front drawn through the best, and the teacher.

The report draws the same in its page's script, where the budget moves; this figure is for notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from compress.figures import COSTS, Figure, graded
from dashboards import theme
from search.study.front import front
from search.study.recipe_words import recipe_words
from search.study.record import Point, StudyRecord
from search.study.seeds import families


@dataclass(frozen=True)
class Info:
    """Points of the mean over seeds: all, those on the front of quality and cost by rising cost, and the teacher."""

    cost: Figure
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    teacher: Point | None


def info(study: StudyRecord, cost: str) -> Info:
    """Return what is drawn; ValueError for an unknown cost."""
    known = {one.name: one for one in COSTS}
    if cost not in known:
        raise ValueError(f"figure: unknown cost {cost!r}, known are {', '.join(known)}")
    means = tuple(family.mean for family in families(study.points))
    best = sorted(front(means, (study.quality.name, cost)), key=lambda one: known[cost].value(one.measured))
    teacher = study.teacher
    return Info(known[cost], means, tuple(best), next((one for one in means if teacher and one.id == teacher.id), None))


def figure(found: Info, study: StudyRecord) -> go.Figure:
    """Draw the quality on validation over the logarithm of the cost."""
    quality, _ = graded(study.quality)
    drawing = theme.figure(f"{found.cost.axis} (log scale)", theme.plain(quality.axis))
    drawing.update_xaxes(type="log", exponentformat="SI")
    theme.set_quality_axis(drawing, study.quality)
    if not found.points:
        return theme.note_empty(drawing, "No model has been measured yet.")

    def draw(name: str, points: Sequence[Point], **look: object) -> None:
        drawing.add_scatter(
            x=[found.cost.value(one.measured) for one in points],
            y=[quality.value(one.measured) for one in points],
            name=name,
            hovertext=[_hover(one, found.cost, quality) for one in points],
            hoverinfo="text",
            **look,
        )

    draw("all models", found.points, mode="markers", marker={"size": 6, "color": theme.QUIET, "opacity": 0.45})
    line = {"shape": "hv", "width": 1.8, "color": theme.PALETTE[0]}
    draw("front", found.front, mode="lines+markers", line=line, marker={"size": 8, "color": theme.PALETTE[0]})
    if found.teacher is not None:
        star = {"size": 13, "symbol": "star", "color": theme.PALETTE[1]}
        draw("unpruned teacher", [found.teacher], mode="markers", marker=star)
    return drawing


def _hover(point: Point, cost: Figure, quality: Figure) -> str:
    words = recipe_words(point.recipe, point.sparsity, point.variant)
    return "<br>".join(
        [
            f"<b>{theme.plain(point.id[:8])}</b>, trial {point.trial}",
            theme.plain(words),
            f"{quality.written(point.measured)} {theme.plain(quality.axis)}",
            f"{cost.style.text(cost.value(point.measured))} {cost.style.unit}",
        ]
    )
