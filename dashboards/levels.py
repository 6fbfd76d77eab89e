"""Quality gained by each level of each choice, among models of about the same size.

Points are divided by params into four classes of equal number, and the quality of a point is compared with the mean of
its class. Otherwise a level of small models, like a narrow width, would look bad for their size. The figure shows
the mean difference over the trials of a level and its standard error, every trial with the same weight.
"""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from compress.figures import graded
from compress.quality import ACCURACY, Quality
from dashboards import theme
from dashboards.importance import points_and_levels
from search.study.record import StudyRecord

COLUMNS = ("choice", "level", "trials", "difference", "error")
_CLASSES = 4
_LABEL = 26  # characters; a phone has room for no more beside a plot


def info(study: StudyRecord) -> pd.DataFrame:
    """Return a row for every choice and level, the best level first; empty with fewer than three trials.

    `difference` is in the quality's own unit on validation: of accuracy 0.01 means a percentage point above models of
    about the same size, of an error a difference below 0 is the better. `error` is its standard error, NaN for a level
    of a single trial.
    """
    points, levels = points_and_levels(study)
    if len(levels) < 3:
        return pd.DataFrame(columns=list(COLUMNS))
    size = pd.qcut(points["params"].rank(method="first"), min(_CLASSES, len(points)), labels=False)
    score = points["score_validation"]
    gain = score - score.groupby(size).transform("mean")
    by_trial = gain.groupby(points["trial"]).mean()
    rows = []
    for choice in levels.columns:
        for name, gains in by_trial.groupby(levels[choice]):
            error = gains.std() / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
            rows.append((choice, name, len(gains), gains.mean(), error))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {choice: position for position, choice in enumerate(levels.columns)}
    ranked = frame.sort_values(
        ["choice", "difference"],
        ascending=[True, False],
        key=lambda column: column.map(order) if column.name == "choice" else column,
    ).reset_index(drop=True)
    quality = study.quality
    if not quality.is_share:
        ranked["difference"] *= quality.one - quality.zero
        ranked["error"] *= quality.amount(1)
    return ranked


def figure(info: pd.DataFrame, quality: Quality = ACCURACY) -> go.Figure:
    """Draw a dot with its standard error for every level, below the choice's name; right is better.

    Differences of accuracy are drawn in percentage points.
    """
    lines = 2 * info["choice"].nunique() + len(info)
    title = "points of accuracy" if quality == ACCURACY else f"difference of {theme.plain(graded(quality)[0].title)}"
    drawing = theme.figure(title, "", height=90 + 20 * lines)
    if info.empty:
        return theme.note_empty(drawing, "Three measured trials with differing choices are needed.")
    drawing.add_vline(x=0, line={"width": 1, "color": theme.QUIET})
    ticks: dict[int, str] = {}
    for choice, rows in info.groupby("choice", sort=False):
        top = max(ticks, default=-2) + 2
        ticks[top] = f"<b>{_short(choice)}</b>"
        at = range(top + 1, top + 1 + len(rows))
        ticks |= {line: _short(name) for line, name in zip(at, rows["level"], strict=True)}
        _add_levels(drawing, rows, list(at), quality)
    if not quality.higher_is_better:
        drawing.update_xaxes(autorange="reversed")
    drawing.update_yaxes(
        tickvals=list(ticks), ticktext=list(ticks.values()), range=[max(ticks) + 1, -1], showgrid=False
    )
    return drawing


def _add_levels(drawing: go.Figure, rows: pd.DataFrame, lines: list[int], quality: Quality) -> None:
    times, spec, unit = (100, "+.2f", "points") if quality == ACCURACY else (1, "+.3g", quality.unit or quality.name)
    drawing.add_scatter(
        x=times * rows["difference"],
        y=lines,
        mode="markers",
        marker={"size": 8, "color": theme.PALETTE[0]},
        error_x={"array": times * rows["error"], "thickness": 1.2, "width": 0, "color": theme.PALETTE[4]},
        hovertext=[
            f"{theme.plain(row['choice'])}: {theme.plain(row['level'])}<br>"
            f"{times * row['difference']:{spec}} {theme.plain(unit)} over {row['trials']} trials"
            for row in rows.to_dict("records")
        ],
        hoverinfo="text",
        showlegend=False,
    )


def _short(name: object) -> str:
    text = str(name)
    return theme.plain(text if len(text) <= _LABEL else text[: _LABEL - 1] + "\u2026")
