"""Breakpoint curves: accuracy over sparsity, one line a trial and variant, with both readings marked."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.frame import level, points_frame
from dashboards.pareto import colour_choice
from search.breakpoints import DELTA, Breakpoint, breakpoints, curves
from search.record import StudyRecord


@dataclass(frozen=True)
class Curve:
    """One line: rising sparsities in [0, 1) and the accuracies in [0, 1] there; `group` colours it."""

    trial: int
    variant: str
    group: str
    sparsity: tuple[float, ...]
    validation: tuple[float, ...]
    test: tuple[float, ...]
    mark: Breakpoint


def info(study: StudyRecord, delta: float = DELTA) -> list[Curve]:
    """Every curve of at least two points with its breakpoints, trial by trial."""
    name = colour_choice(points_frame(study))
    choices = {trial.id: trial.choices for trial in study.trials}
    stops = curves(study)
    found = []
    for mark in breakpoints(study, delta):
        points = stops[mark.trial, mark.variant]
        found.append(
            Curve(
                trial=mark.trial,
                variant=mark.variant,
                group=level(choices[mark.trial].get(name)) if name else "",
                sparsity=tuple(point.sparsity for point in points),
                validation=tuple(point.measured.accuracy_validation for point in points),
                test=tuple(point.measured.accuracy_test for point in points),
                mark=mark,
            )
        )
    return found


def figure(info: list[Curve]) -> go.Figure:
    """Draw it: lines coloured by group, dotted unless float; a dot is tolerance, a diamond the knee."""
    drawing = theme.figure("share of prunable weights removed", "accuracy on validation", height=480)
    if not info:
        return theme.note_empty(drawing, "No trial has two points yet, so there is no curve.")
    drawing.update_xaxes(tickformat=".0%")
    drawing.update_yaxes(tickformat=".0%")
    hues = theme.colours(sorted({curve.group for curve in info}))
    named: set[str] = set()
    for curve in info:
        _add_line(drawing, curve, hues[curve.group], first=curve.group not in named)
        named.add(curve.group)
    delta = info[0].mark.delta
    held = [(c.mark.tolerance, c.mark.tolerance_accuracy, c.mark.tolerance_accuracy_test, c) for c in info]
    _add_marks(drawing, held, hues, f"tolerance: loses at most {100 * delta:.3g}%", "circle")
    bends = [
        (c.mark.knee, c.mark.knee_accuracy, c.mark.knee_accuracy_test, c)
        for c in info
        if c.mark.knee is not None and c.mark.knee_accuracy is not None and c.mark.knee_accuracy_test is not None
    ]
    _add_marks(drawing, bends, hues, "knee", "diamond-open")
    return drawing


def _add_line(drawing: go.Figure, curve: Curve, hue: str, *, first: bool) -> None:
    dash = "solid" if curve.variant == "float" else "dot"
    drawing.add_scatter(
        x=curve.sparsity,
        y=curve.validation,
        mode="lines",
        opacity=0.45,
        line={"width": 1.2, "color": hue, "dash": dash},
        name=theme.plain(curve.group or "curves"),
        legendgroup=theme.plain(curve.group),
        showlegend=first,
        hovertext=[_label(curve, *stop) for stop in zip(curve.sparsity, curve.validation, curve.test, strict=True)],
        hoverinfo="text",
    )


def _add_marks(
    drawing: go.Figure,
    marks: list[tuple[float, float, float, Curve]],
    hues: dict[str, str],
    reading: str,
    symbol: str,
) -> None:
    if not marks:
        return
    drawing.add_scatter(
        x=[sparsity for sparsity, *_ in marks],
        y=[accuracy for _, accuracy, *_ in marks],
        mode="markers",
        marker={
            "symbol": symbol,
            "size": 7 if symbol == "circle" else 11,
            "color": [hues[curve.group] for *_, curve in marks],
            "line": {"width": 1.5 if symbol != "circle" else 0},
        },
        name=reading,
        hovertext=[f"{reading}<br>{_label(curve, *stop)}" for *stop, curve in marks],
        hoverinfo="text",
    )


def _label(curve: Curve, sparsity: float, validation: float, test: float) -> str:
    return (
        f"<b>trial {curve.trial}</b>, {theme.plain(curve.variant)}, {sparsity:.0%} pruned"
        f"<br>validation {validation:.2%}, test {test:.2%}"
    )
