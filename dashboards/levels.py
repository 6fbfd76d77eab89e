"""What each level of each choice is worth at comparable size.

Points are put into four classes of equal number by params, and each is compared with its class: a level
that only ever makes small models is not blamed for being small. What is shown is the mean difference in
accuracy over the trials of a level, each trial counted once however many points it has, and the standard
error over those trials.
"""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from dashboards import theme
from dashboards.importance import levelled
from search.record import StudyRecord

COLUMNS = ("choice", "level", "trials", "difference", "error")
_CLASSES = 4


def info(study: StudyRecord) -> pd.DataFrame:
    """One row a choice and level, levels by falling difference; empty with fewer than three trials.

    `difference` is in accuracy on validation (.01 is a point better than models of the same size), `error`
    its standard error, NaN for a level tried once.
    """
    points, levels = levelled(study)
    if len(levels) < 3:
        return pd.DataFrame(columns=list(COLUMNS))
    size = pd.qcut(points["params"].rank(method="first"), min(_CLASSES, len(points)), labels=False)
    accuracy = points["accuracy_validation"]
    gain = accuracy - accuracy.groupby(size).transform("mean")
    by_trial = gain.groupby(points["trial"]).mean()
    rows = []
    for choice in levels.columns:
        for name, gains in by_trial.groupby(levels[choice]):
            error = gains.std() / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
            rows.append((choice, name, len(gains), gains.mean(), error))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {choice: position for position, choice in enumerate(levels.columns)}
    return frame.sort_values(
        ["choice", "difference"],
        ascending=[True, False],
        key=lambda column: column.map(order) if column.name == "choice" else column,
    ).reset_index(drop=True)


def figure(info: pd.DataFrame) -> go.Figure:
    """Draw it: a dot and its standard error a level, grouped by choice, in points of accuracy."""
    drawing = theme.figure(
        "points of accuracy against models of the same size", "", height=120 + 22 * len(info)
    )
    if info.empty:
        drawing.update_layout(height=240)
        return theme.note_empty(drawing, "Three measured trials with differing choices are needed.")
    drawing.add_vline(x=0, line={"width": 1, "color": theme.QUIET})
    drawing.add_scatter(
        x=100 * info["difference"],
        y=[[theme.plain(c) for c in info["choice"]], [theme.plain(name) for name in info["level"]]],
        mode="markers",
        marker={"size": 8, "color": theme.PALETTE[0]},
        error_x={"array": 100 * info["error"], "thickness": 1.2, "width": 0, "color": theme.PALETTE[4]},
        hovertext=[
            f"{theme.plain(row.choice)}: {theme.plain(row.level)}<br>"
            f"{100 * row.difference:+.2f} points over {row.trials} trials"
            for row in info.itertuples()
        ],
        hoverinfo="text",
        showlegend=False,
    )
    drawing.update_yaxes(autorange="reversed", showgrid=False)
    return drawing
