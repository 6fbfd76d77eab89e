"""A paper's figure along the curves of its recipes: a line a recipe, means over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import plotly.graph_objects as go

from compress.figures import Figure
from compress.quality import ACCURACY
from dashboards import theme
from search.papers.values import Values
from search.study.axes import SPARSITY
from search.study.breakpoints import tolerance
from search.study.record import Point
from search.study.table_figures import figure_of
from spaces.papers.paper import Curves

CUT = "cut"
"""Axis of a model's place on its curve: 0 before the first cut."""


@dataclass(frozen=True)
class Line:
    """A line of a figure: the mean over seeds of each place on the curve; `mark` is the breakpoint's place, if any."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    mark: int | None = None


def info(picture: Curves, values: Values) -> list[Line]:
    """Return the lines of the recipes that have models."""
    found = []
    for name, choices in picture.lines.items():
        curves = [each for each in values.curves(choices).values() if each]
        if not curves:
            continue
        places = range(min(map(len, curves)))
        x, y = (
            tuple(fmean(_value(values, curve, at, axis) for curve in curves) for at in places)
            for axis in (picture.x, picture.y)
        )
        mark = curves[0].index(tolerance(curves[0])) if picture.marks else None
        found.append(Line(name, x, y, mark if mark is not None and mark < len(places) else None))
    return found


def figure(picture: Curves, lines: Sequence[Line], values: Values) -> go.Figure:
    """Draw the lines; a breakpoint is a ring."""
    x, y = (_axis(values, axis) for axis in (picture.x, picture.y))
    drawing = theme.figure(theme.plain(_title(x, picture.x)), theme.plain(_title(y, picture.y)))
    if not lines:
        return theme.note_empty(drawing, "No model of this figure yet.")
    colours = theme.colours([line.name for line in lines])
    for line in lines:
        drawing.add_scatter(
            x=line.x,
            y=line.y,
            mode="lines+markers",
            name=theme.plain(line.name),
            line={"width": 1.8, "color": colours[line.name]},
            marker={"size": [13 if at == line.mark else 6 for at in range(len(line.x))], **_ring(line)},
        )
    if y is not None and y.split:
        theme.set_quality_axis(drawing, values.record.quality)
        if values.record.quality == ACCURACY:
            drawing.update_yaxes(tickformat=".1~%")
    if picture.y == SPARSITY:
        drawing.update_yaxes(tickformat=".0%")
    if picture.x == SPARSITY:
        drawing.update_xaxes(tickformat=".0%")
    return drawing


def _ring(line: Line) -> dict[str, Any]:
    return {"line": {"width": [2 if at == line.mark else 0 for at in range(len(line.x))], "color": theme.QUIET}}


def _value(values: Values, curve: Sequence[Point], at: int, axis: str) -> float:
    if axis == CUT:
        return at
    if axis == SPARSITY:
        return curve[at].sparsity
    return figure_of(axis, values.record).value(curve[at].measured)


def _axis(values: Values, axis: str) -> Figure | None:
    return None if axis in (CUT, SPARSITY) else figure_of(axis, values.record)


def _title(figure: Figure | None, axis: str) -> str:
    return axis if figure is None else figure.axis
