"""A paper's figure over the epochs of its trainings: a panel for each value of the series, a line a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compress.store.bucket import open_store
from compress.store.series import StepSeries, chain
from dashboards import theme
from search.papers.values import Values
from spaces.papers.paper import Steps

SPARSITY = "sparsity"
"""Value of a step rather than of an epoch: the sparsity the network was cut to before the epoch."""
PANEL_PX = 230


@dataclass(frozen=True)
class Epochs:
    """A recipe's series after its first stage: `values` by name, one an epoch; a missing value is None."""

    name: str
    values: Mapping[str, tuple[float | None, ...]]


def info(picture: Steps, values: Values, read: Callable[[str], bytes | None] | None = None) -> list[Epochs]:
    """Return the series of the recipes that have models, of the study's own seed; `read` reads a step's file."""
    read = read or open_store(values.record.store).series
    found = []
    for name, choices in picture.lines.items():
        trial = values.trial(choices)
        if trial is None or not trial.points:
            continue
        steps = chain(read, trial.points[-1].id)[1:]
        series = {value: _column(steps, value) for value in picture.values}
        if any(each is not None for column in series.values() for each in column):
            found.append(Epochs(name, series))
    return found


def figure(picture: Steps, lines: Sequence[Epochs]) -> go.Figure:
    """Draw a panel for each value, over the epochs since the first cut."""
    if not lines:
        return theme.note_empty(theme.figure("epoch", ""), "No series of this figure yet.")
    count = len(picture.values)
    drawing = make_subplots(rows=count, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    theme.dress(drawing, height=PANEL_PX * count)
    colours = theme.colours([line.name for line in lines])
    for row, value in enumerate(picture.values, 1):
        for line in lines:
            drawing.add_scatter(
                x=list(range(1, len(line.values[value]) + 1)),
                y=line.values[value],
                mode="lines",
                name=theme.plain(line.name),
                legendgroup=line.name,
                showlegend=row == 1,
                line={"width": 1.8, "color": colours[line.name]},
                row=row,
                col=1,
            )
        drawing.update_yaxes(title_text=value, tickformat=".0%" if value == SPARSITY else None, row=row, col=1)
    return drawing.update_xaxes(title_text="epoch after the first cut", row=count, col=1)


def _column(steps: Sequence[StepSeries], value: str) -> tuple[float | None, ...]:
    if value == SPARSITY:
        return tuple(step.level for step in steps for _ in step.epochs)
    return tuple(row.get(value) for step in steps for row in step.epochs)
