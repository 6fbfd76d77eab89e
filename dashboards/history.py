"""How far a study has come: the hypervolume of its front after each finished trial."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dashboards import theme
from search.front import GrowingFront
from search.record import StudyRecord

COLUMNS = ("finished", "trial", "status", "hypervolume")


def info(study: StudyRecord) -> pd.DataFrame:
    """One row a trial that is not running, in the order asked for; never falling.

    `finished` counts them from 1, `hypervolume` in [0, 1] is of all points up to and with that trial's,
    under the study's objectives and reference point. A failed trial counts, as it was paid for too.
    """
    front = GrowingFront(study.objectives, study.reference_point)
    rows: list[tuple[int, int, str, float]] = []
    for trial in (trial for trial in study.trials if trial.status != "running"):
        for point in trial.points:
            front.add(point)
        rows.append((len(rows) + 1, trial.id, trial.status, front.hypervolume))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def figure(info: pd.DataFrame) -> go.Figure:
    """Draw it as steps, since nothing happens between two trials."""
    drawing = theme.figure("trials finished", "hypervolume of the front", height=340)
    if info.empty:
        return theme.note_empty(drawing, "No trial has finished yet.")
    drawing.add_scatter(
        x=info["finished"],
        y=info["hypervolume"],
        mode="lines+markers",
        line={"shape": "hv", "width": 1.8, "color": theme.PALETTE[0]},
        marker={"size": 5},
        hovertext=[
            f"<b>trial {row.trial}</b>, {row.status}<br>hypervolume {row.hypervolume:.4f}" for row in info.itertuples()
        ],
        hoverinfo="text",
        showlegend=False,
    )
    drawing.update_xaxes(rangemode="tozero")
    return drawing
