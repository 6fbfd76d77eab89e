"""Which choices matter, for accuracy and for size.

A choice's share is eta squared: how much of the variance over the points lies between its levels, one
choice at a time. Few trials explain a lot by accident, and the points of one trial are not independent, so
beside each share stands what chance gives: the choice's levels dealt out anew to whole trials, 95th
percentile of 200 deals. Shares of choices that went together overlap and need not sum to 1.

Numbers of more than four values are cut into thirds of those values. What a trial was not asked is the level
`none`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboards import theme
from dashboards.choices import ABSENT, choice_names, level
from search.study.record import StudyRecord

COLUMNS = ("choice", "target", "share", "chance")
TARGETS = ("accuracy", "size")
_DEALS = 200
_FEW = 4


def info(study: StudyRecord, *, seed: int = 0) -> pd.DataFrame:
    """One row a choice and target, `accuracy` (validation) or `size` (log params), accuracy's shares falling.

    `share` and `chance` are in [0, 1]. Trials without choices (the teacher) and choices of one level are
    left out; with fewer than three trials there is nothing to compare and the frame is empty.
    """
    points, levels = levelled(study)
    if len(levels) < 3:
        return pd.DataFrame(columns=list(COLUMNS))
    trial = levels.index.get_indexer(pd.Index(points["trial"]))
    figures = {
        "accuracy": points["accuracy_validation"].to_numpy(dtype=float),
        "size": np.log(points["params"].to_numpy(dtype=float)),
    }
    rows = []
    for choice in levels.columns:
        codes = pd.factorize(levels[choice])[0]
        rows += [(choice, target, *_share(codes, trial, figures[target], seed)) for target in TARGETS]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    shares = frame[frame["target"] == "accuracy"].set_index("choice")["share"]
    order = frame["choice"].map(shares)
    return (
        frame.assign(order=order)
        .sort_values(["order", "choice", "target"], ascending=[False, True, True])[list(COLUMNS)]
        .reset_index(drop=True)
    )


def levelled(study: StudyRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The points of trials that chose something; those trials' levels, a row a trial, a column a choice.

    A point counts once, for the first trial that has it: `trial`, `accuracy_validation` in [0, 1], `params`. Those made
    again with other seeds do not count: only the best are.
    """
    owners = {point.id: trial for trial in reversed(study.trials) for point in trial.points}
    once = [point for point in study.points if owners[point.id].choices and not point.family]
    chosen = [(owners[point.id], point.measured) for point in once]
    rows = [(trial.id, m.accuracy_validation, m.params) for trial, m in chosen]
    points = pd.DataFrame(rows, columns=["trial", "accuracy_validation", "params"])
    asked = {trial.id: trial.choices for trial, _ in chosen}
    columns = {
        name: _levels(pd.Series([made.get(name) for made in asked.values()], dtype=object))
        for name in choice_names(study)
    }
    varied = {name: column for name, column in columns.items() if len(set(column)) > 1}
    return points, pd.DataFrame(varied, index=pd.Index(list(asked)))


def figure(info: pd.DataFrame) -> go.Figure:
    """Draw it: a bar a choice for each target, dimmed where it stays below its chance mark."""
    if info.empty:
        drawing = theme.figure("share of variance explained", "", height=240)
        return theme.note_empty(drawing, "Three measured trials with differing choices are needed.")
    choices = list(dict.fromkeys(info["choice"]))
    panels = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    drawing = theme.dress(panels, height=110 + 34 * len(choices))
    for column, (target, title) in enumerate(zip(TARGETS, ("of accuracy", "of log params"), strict=True), start=1):
        _add_panel(drawing, info[info["target"] == target], column)
        drawing.update_xaxes(title_text=title, col=column, tickformat=".0%", rangemode="tozero")
    drawing.update_yaxes(autorange="reversed", showgrid=False)
    return drawing


def _add_panel(drawing: go.Figure, rows: pd.DataFrame, column: int) -> None:
    names = [theme.plain(choice) for choice in rows["choice"]]
    drawing.add_bar(
        y=names,
        x=rows["share"],
        orientation="h",
        width=0.55,
        marker={
            "color": theme.PALETTE[0],
            "opacity": [1 if beyond else 0.35 for beyond in rows["share"] > rows["chance"]],
        },
        hovertemplate="%{x:.1%} of the variance<extra></extra>",
        name="explained by the choice",
        showlegend=column == 1,
        row=1,
        col=column,
    )
    drawing.add_scatter(
        y=names,
        x=rows["chance"],
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 2, "color": theme.PALETTE[1]}},
        hovertemplate="chance reaches %{x:.1%}<extra></extra>",
        name="reached by chance (95 %)",
        showlegend=column == 1,
        row=1,
        col=column,
    )


def _share(
    codes: NDArray[np.int64], trial: NDArray[np.int64], values: NDArray[np.float64], seed: int
) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    deals = [eta_squared(generator.permutation(codes)[trial], values) for _ in range(_DEALS)]
    return eta_squared(codes[trial], values), float(np.quantile(deals, 0.95))


def eta_squared(codes: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    """Share in [0, 1] of the variance of `values` between groups; both of shape `(n,)`, 0 if constant."""
    centred = values - values.mean()
    total = float(centred @ centred)
    if total < 1e-15:
        return 0.0
    sums, counts = np.bincount(codes, centred), np.bincount(codes)
    return float(np.sum(sums**2 / np.maximum(counts, 1)) / total)


def _levels(choices: pd.Series) -> list[str]:
    made = choices.dropna()
    numbers = [c for c in made if isinstance(c, int | float) and not isinstance(c, bool)]
    if len(numbers) < len(made) or len(set(numbers)) <= _FEW:
        return [level(choice) for choice in choices]
    ranked = sorted(set(numbers))
    names: dict[float, str] = {}
    for third in np.array_split(np.arange(len(ranked)), 3):
        span = f"{level(ranked[third[0]])} to {level(ranked[third[-1]])}"
        names |= {ranked[i]: span for i in third}
    return [ABSENT if pd.isna(choice) else names[choice] for choice in choices]
