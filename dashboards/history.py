"""Progress of a study over its workers' seconds: the hypervolume of the front, and the front at several times.

Trials count in the order they were asked for, each with all of its seconds: the axis does not depend on the number of
workers.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from compress.figures import graded
from compress.quality import ACCURACY, Quality
from dashboards import theme
from search.study.endings import ending
from search.study.front import ANY_QUALITY, GrowingFront, front
from search.study.record import Point, StudyRecord

COLUMNS = ("finished", "trial", "status", "seconds", "hypervolume")
SHARES = (0.1, 0.25, 0.5, 1.0)
COST = "params"


@dataclass(frozen=True)
class Stage:
    """The front of quality and params after `seconds` of work and `trials` finished trials.

    `steps` are its (params, quality on validation in its own unit) by rising params.
    """

    seconds: float
    trials: int
    steps: tuple[tuple[float, float], ...]


def info(study: StudyRecord) -> pd.DataFrame:
    """Return a row for every ended trial, in the order asked for; `hypervolume` never falls.

    `finished` counts the trials from 1, `seconds` is the sum of their seconds so far. `hypervolume` in [0, 1] covers
    the points of all trials so far, under the study's objectives and reference point. Failed trials count: their
    seconds were spent too.
    """
    growing = GrowingFront(study.objectives, study.reference_point)
    rows: list[tuple[int, int, str, float, float]] = []
    seconds = 0.0
    for trial in (trial for trial in study.trials if trial.status != "running"):
        seconds += trial.seconds
        for point in trial.points:
            growing.add(point)
        rows.append((len(rows) + 1, trial.id, ending(trial), seconds, growing.hypervolume))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def stages(study: StudyRecord) -> list[Stage]:
    """Return the front after a tenth, a quarter, half and all of the seconds; empty and repeated fronts are left out.

    A stage holds the trials finished within its share of the seconds, at least the first trial.
    """
    ended = [trial for trial in study.trials if trial.status != "running"]
    total = sum(trial.seconds for trial in ended)
    found: dict[int, Stage] = {}
    for share in SHARES:
        seconds, trials = 0.0, 0
        points: list[Point] = []
        for trial in ended:
            if trials and seconds + trial.seconds > share * total * (1 + 1e-9):
                break
            seconds, trials = seconds + trial.seconds, trials + 1
            points += trial.points
        best = reversed(front(points, (ANY_QUALITY, COST)))
        value = graded(study.quality)[0].value
        steps = tuple((float(point.measured.params), value(point.measured)) for point in best)
        if steps:
            found[trials] = Stage(seconds, trials, steps)
    return list(found.values())


def figure(info: pd.DataFrame) -> go.Figure:
    """Draw the hypervolume as steps: the value is constant between two trials."""
    drawing = theme.figure("seconds of work", "hypervolume of the front", height=340)
    if info.empty:
        return theme.note_empty(drawing, "No trial has finished yet.")
    drawing.add_scatter(
        x=info["seconds"],
        y=info["hypervolume"],
        mode="lines+markers" if len(info) <= 100 else "lines",
        line={"shape": "hv", "width": 1.8, "color": theme.PALETTE[0]},
        marker={"size": 5},
        hovertext=[
            f"<b>trial {row.trial}</b>, {row.status}<br>hypervolume {row.hypervolume:.4f} after {row.seconds:,.0f} s"
            for row in info.itertuples()
        ],
        hoverinfo="text",
        showlegend=False,
    )
    drawing.update_xaxes(rangemode="tozero")
    return drawing


def stages_figure(found: list[Stage], quality: Quality = ACCURACY) -> go.Figure:
    """Draw the fronts over each other, the last strongest; up is better."""
    validation = graded(quality)[0]
    drawing = theme.figure("parameters (log scale)", theme.plain(validation.axis), height=400)
    if not found:
        return theme.note_empty(drawing, "No model has been measured yet.")
    drawing.update_xaxes(type="log", exponentformat="SI")
    theme.set_quality_axis(drawing, quality)
    spec, unit = validation.style.spec, theme.plain(f" {quality.unit}" if quality.unit else "")
    for place, stage in enumerate(found):
        last = place == len(found) - 1
        x, y = zip(*stage.steps, strict=True)
        drawing.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            name=f"{stage.seconds:,.0f} s, {stage.trials} trial{'s' if stage.trials > 1 else ''}",
            line={"shape": "hv", "width": 2.2 if last else 1.4, "color": theme.PALETTE[0] if last else theme.QUIET},
            marker={"size": 5},
            opacity=1 if last else 0.35 + 0.2 * place,
            hovertemplate=f"%{{x:,}} params, %{{y:{spec}}}{unit} on validation",
        )
    return drawing
