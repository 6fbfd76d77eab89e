"""Accuracy against one cost: every point, the front of the two, and the teacher it started from."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards import theme
from dashboards.frame import CHOICE, level, points_frame
from search.front import front
from search.record import StudyRecord

TITLES = {
    "params": "parameters",
    "nonzero_params": "non-zero parameters",
    "macs": "MACs for one image",
    "flops": "FLOPs for one image",
    "size_bytes": "bytes on disk",
    "compressed_bytes": "bytes on disk, deflated",
    "latency_ms": "latency in ms, batch 1",
}
_PREFERRED = ("order", "method")


@dataclass(frozen=True)
class ParetoInfo:
    """What is drawn: `points` is `points_frame` with a column `group`, the level a point is coloured by.

    `steps` are the (cost, validation accuracy) of the non-dominated points in these two alone, by rising
    cost; `coloured_by` names the choice behind `group`, "" for none.
    """

    cost: str
    points: pd.DataFrame
    steps: tuple[tuple[float, float], ...]
    coloured_by: str


def info(study: StudyRecord, cost: str) -> ParetoInfo:
    """The numbers behind the figure; `cost` is one of `search.front.COSTS`."""
    points = points_frame(study)
    name = colour_choice(points)
    points["group"] = [level(choice) for choice in points[CHOICE + name]] if name else ""
    best = reversed(front(study.points, ("accuracy", cost)))
    steps = tuple((float(getattr(p.measured, cost)), p.measured.accuracy_validation) for p in best)
    return ParetoInfo(cost, points, steps, name)


def colour_choice(points: pd.DataFrame) -> str:
    """The choice to colour by: `order` or `method`, else the first in words with 2 to 6 levels, else ""."""
    names = [column.removeprefix(CHOICE) for column in points.columns if column.startswith(CHOICE)]
    for name in _PREFERRED:
        if name in names:
            return name
    for name in names:
        said = points[CHOICE + name].dropna()
        if all(isinstance(choice, str) for choice in said) and 2 <= said.nunique() <= len(theme.PALETTE):
            return name
    return ""


def figure(info: ParetoInfo) -> go.Figure:
    """Draw it: dominated points dimmed, the two axes' front as steps, members of the full front ringed."""
    drawing = theme.figure(f"{TITLES[info.cost]} (log scale)", "accuracy on validation", height=480)
    if info.points.empty:
        return theme.note_empty(drawing, "No model has been measured yet.")
    drawing.update_xaxes(type="log", exponentformat="SI")
    drawing.update_yaxes(tickformat=".0%")
    models, teacher = info.points[~info.points["is_teacher"]], info.points[info.points["is_teacher"]]
    for group, hue in theme.colours(sorted(models["group"].unique())).items():
        _add_group(drawing, models[models["group"] == group], info, colour=hue)
    ring = {"symbol": "circle-open", "size": 13, "color": theme.QUIET, "line": {"width": 1.5}}
    _add(drawing, models[models["on_front"]], info, name="on the study's front", marker=ring)
    x, y = zip(*info.steps, strict=True)
    line = {"shape": "hv", "width": 1.5, "color": theme.QUIET}
    drawing.add_scatter(x=x, y=y, mode="lines", line=line, name="best at this cost", hoverinfo="skip")
    star = {"symbol": "star", "size": 15, "color": "#D55E00"}
    _add(drawing, teacher, info, name="teacher", marker=star)
    return drawing


def _add_group(drawing: go.Figure, rows: pd.DataFrame, info: ParetoInfo, *, colour: str) -> None:
    name = rows["group"].iloc[0] or "models"
    opacity = [0.95 if member else 0.45 for member in rows["on_front"]]
    _add(drawing, rows, info, name=name, marker={"size": 7, "color": colour, "opacity": opacity})
    drawing.data[-1].update(showlegend=False, legendgroup=theme.plain(name))
    # A legend shows the first point's opacity, so the entry is a trace of its own.
    entry = {"x": [None], "y": [None], "mode": "markers", "marker": {"size": 7, "color": colour}}
    drawing.add_scatter(**entry, name=theme.plain(name), legendgroup=theme.plain(name))


def _add(drawing: go.Figure, rows: pd.DataFrame, info: ParetoInfo, *, name: str, marker: dict[str, object]) -> None:
    if rows.empty:
        return
    drawing.add_scatter(
        x=rows[info.cost],
        y=rows["accuracy_validation"],
        mode="markers",
        marker=marker,
        name=theme.plain(name),
        hovertext=[hover(row) for row in rows.to_dict("records")],
        hoverinfo="text",
    )


def hover(row: Mapping[Hashable, Any]) -> str:
    """What a row of `points_frame` says under the pointer, markup in the recipe disarmed."""
    lines = [
        f"<b>trial {row['trial']}</b>, {row['sparsity']:.0%} pruned, {theme.plain(row['variant'])}",
        f"validation {row['accuracy_validation']:.2%}, test {row['accuracy_test']:.2%}",
        f"{row['params']:,} params, {row['macs']:,} MACs, {row['size_bytes']:,} bytes",
        *(theme.plain(line) for line in textwrap.wrap(row["recipe"], 60)),
    ]
    return "<br>".join(lines)
