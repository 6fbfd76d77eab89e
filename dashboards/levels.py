"""Accuracy gained by each level of each choice, among models of about the same size.

Points are divided by params into four classes of equal number, and the accuracy of a point is compared with the mean of
its class. Otherwise a level of small models, like a narrow width, would look bad for their size. The figure shows
the mean difference over the trials of a level and its standard error, every trial with the same weight.
"""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from dashboards import theme
from dashboards.importance import points_and_levels
from search.study.record import StudyRecord

COLUMNS = ("choice", "level", "trials", "difference", "error")
_CLASSES = 4
_LABEL = 26  # characters; a phone has room for no more beside a plot


def info(study: StudyRecord) -> pd.DataFrame:
    """Return a row for every choice and level, levels by falling difference; empty with fewer than three trials.

    `difference` is in accuracy on validation: 0.01 means a percentage point above models of about the same size.
    `error` is its standard error, NaN for a level of a single trial.
    """
    points, levels = points_and_levels(study)
    if len(levels) < 3:
        return pd.DataFrame(columns=list(COLUMNS))
    size = pd.qcut(points["params"].rank(method="first"), min(_CLASSES, len(points)), labels=False)
    accuracy = points["score_validation"]
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
    """Draw a dot with its standard error for every level, below the choice's name, in percentage points of accuracy."""
    lines = 2 * info["choice"].nunique() + len(info)
    drawing = theme.figure("points of accuracy", "", height=90 + 20 * lines)
    if info.empty:
        return theme.note_empty(drawing, "Three measured trials with differing choices are needed.")
    drawing.add_vline(x=0, line={"width": 1, "color": theme.QUIET})
    ticks: dict[int, str] = {}
    for choice, rows in info.groupby("choice", sort=False):
        top = max(ticks, default=-2) + 2
        ticks[top] = f"<b>{_short(choice)}</b>"
        at = range(top + 1, top + 1 + len(rows))
        ticks |= {line: _short(name) for line, name in zip(at, rows["level"], strict=True)}
        _add_levels(drawing, rows, list(at))
    drawing.update_yaxes(
        tickvals=list(ticks), ticktext=list(ticks.values()), range=[max(ticks) + 1, -1], showgrid=False
    )
    return drawing


def _add_levels(drawing: go.Figure, rows: pd.DataFrame, lines: list[int]) -> None:
    drawing.add_scatter(
        x=100 * rows["difference"],
        y=lines,
        mode="markers",
        marker={"size": 8, "color": theme.PALETTE[0]},
        error_x={"array": 100 * rows["error"], "thickness": 1.2, "width": 0, "color": theme.PALETTE[4]},
        hovertext=[
            f"{theme.plain(row['choice'])}: {theme.plain(row['level'])}<br>"
            f"{100 * row['difference']:+.2f} points over {row['trials']} trials"
            for row in rows.to_dict("records")
        ],
        hoverinfo="text",
        showlegend=False,
    )


def _short(name: object) -> str:
    text = str(name)
    return theme.plain(text if len(text) <= _LABEL else text[: _LABEL - 1] + "\u2026")
