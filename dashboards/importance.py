"""Importance of every choice, for quality and for size.

The share of a choice is eta squared: the share of the variance over all points between the choice's levels, one choice
at a time. Shares of correlated choices overlap and need not sum to 1.

Few trials explain a large share by chance, and the points of a trial are not independent. A permutation test therefore
gives a second figure beside each share: the 95th percentile of the shares of 200 permutations of the levels over whole
trials.

Numeric choices of more than four values are cut into thirds of the values. A choice the trial was never asked has the
level `none`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from compress.quality import ACCURACY, Quality
from dashboards import theme
from dashboards.choices import ABSENT, choice_names, level
from search.study.record import StudyRecord

COLUMNS = ("choice", "target", "share", "chance")
TARGETS = ("quality", "size")
_PERMUTATIONS = 200
_FEW = 4


def info(study: StudyRecord, *, seed: int = 0) -> pd.DataFrame:
    """Return a row for every choice and target, `quality` (validation) or `size` (log params), by quality's share.

    `share` and `chance` are in [0, 1], larger shares first. Trials without choices (the teacher) and choices with a
    single level are left out. Empty with fewer than three trials.
    """
    points, levels = points_and_levels(study)
    if len(levels) < 3:
        return pd.DataFrame(columns=list(COLUMNS))
    trial = levels.index.get_indexer(pd.Index(points["trial"]))
    figures = {
        "quality": points["score_validation"].to_numpy(dtype=float),
        "size": np.log(points["params"].to_numpy(dtype=float)),
    }
    rows = []
    for choice in levels.columns:
        codes = pd.factorize(levels[choice])[0]
        rows += [(choice, target, *_share(codes, trial, figures[target], seed)) for target in TARGETS]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    shares = frame[frame["target"] == "quality"].set_index("choice")["share"]
    order = frame["choice"].map(shares)
    return (
        frame.assign(order=order)
        .sort_values(["order", "choice", "target"], ascending=[False, True, True])[list(COLUMNS)]
        .reset_index(drop=True)
    )


def points_and_levels(study: StudyRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the points of all trials with choices, and the levels of the trials: a row a trial, a column a choice.

    The columns of the points are `trial`, `score_validation`, at most 1, and `params`. A point shared by several
    trials counts for the first. Replicates with other seeds do not count: only the best recipes have replicates.
    """
    owners = {point.id: trial for trial in reversed(study.trials) for point in trial.points}
    once = [point for point in study.points if owners[point.id].choices and not point.family]
    chosen = [(owners[point.id], point.measured) for point in once]
    rows = [(trial.id, m.score_validation, m.params) for trial, m in chosen]
    points = pd.DataFrame(rows, columns=["trial", "score_validation", "params"])
    asked = {trial.id: trial.choices for trial, _ in chosen}
    columns = {
        name: _levels(pd.Series([made.get(name) for made in asked.values()], dtype=object))
        for name in choice_names(study)
    }
    varied = {name: column for name, column in columns.items() if len(set(column)) > 1}
    return points, pd.DataFrame(varied, index=pd.Index(list(asked)))


def figure(info: pd.DataFrame, quality: Quality = ACCURACY) -> go.Figure:
    """Draw a bar for every choice and target, dimmed if below its chance mark."""
    if info.empty:
        drawing = theme.figure("share of variance explained", "", height=240)
        return theme.note_empty(drawing, "Three measured trials with differing choices are needed.")
    choices = list(dict.fromkeys(info["choice"]))
    panels = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    drawing = theme.dress(panels, height=110 + 34 * len(choices))
    titles = (f"of {theme.plain(quality.name)}", "of log params")
    for column, (target, title) in enumerate(zip(TARGETS, titles, strict=True), start=1):
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
    by_chance = [eta_squared(generator.permutation(codes)[trial], values) for _ in range(_PERMUTATIONS)]
    return eta_squared(codes[trial], values), float(np.quantile(by_chance, 0.95))


def eta_squared(codes: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    """Return the share in [0, 1] of the variance of `values` between groups, 0 if constant; both of shape `(n,)`."""
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
