"""Seconds of a study: spent on the models of each stage, spent by kind of work, and saved by the store.

The seconds of a point are the seconds of its own step, without the model it was made from. A step shared by several
trials was made once and counts once; every further trial took the step's model from the store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from dashboards import theme
from search.study.record import Point, StudyRecord

COLUMNS = ("stage", "models", "seconds", "reused", "saved")


@dataclass(frozen=True)
class Spending:
    """Seconds of a study.

    `stages` has a row for every stage: `models` counts its distinct models, `seconds` were spent on them. `reused`
    counts models taken from the store again, `saved` are the seconds to make them again. `work` maps kinds of work to
    seconds, falling; their sum is `worked`. The attribute `saved` is a lower bound of all seconds the store saved.
    """

    stages: pd.DataFrame
    work: dict[str, float]
    worked: float
    saved: float

    @property
    def anew(self) -> float:
        """Seconds all trials together would have taken without the store, at least."""
        return self.worked + self.saved


def info(study: StudyRecord) -> Spending:
    """Return the seconds of all ended trials.

    `saved` is the larger of two lower bounds. The first counts points reused by a further trial of the same study. The
    second is the seconds of all points of all trials less the seconds worked: larger if an earlier study made some of
    the points.
    """
    made: Counter[str] = Counter()
    reused: Counter[str] = Counter()
    seconds: dict[str, float] = defaultdict(float)
    saved: dict[str, float] = defaultdict(float)
    work: dict[str, float] = defaultdict(float)
    seen: set[str] = set()
    worked = 0.0
    for trial in (trial for trial in study.trials if trial.status != "running"):
        worked += trial.seconds
        for kind, value in trial.spent.items():
            work[kind] += value
        work["other"] += max(0.0, trial.seconds - sum(trial.spent.values()))
        for point in trial.points:
            name = stage(point)
            (reused if point.id in seen else made)[name] += 1
            (saved if point.id in seen else seconds)[name] += point.measured.seconds
            seen.add(point.id)
    rows = [(name, made[name], seconds[name], reused[name], saved[name]) for name in made]
    total = sum(seconds.values()) + sum(saved.values())
    least = max(sum(saved.values()), total - worked)
    falling = sorted(((kind, value) for kind, value in work.items() if value > 0), key=lambda pair: -pair[1])
    return Spending(pd.DataFrame(rows, columns=list(COLUMNS)), dict(falling), worked, least)


def stage(point: Point) -> str:
    """Return the type of the recipe's stage that made the point, like `distill` or `prune`."""
    stages: list[str] = [stage["type"] for stage in point.recipe.get("stages", ())]  # type: ignore[attr-defined]
    if point.variant != "float" or not stages:
        return "quantize" if stages else "model"
    unquantized = [name for name in stages if name != "quantize"]
    return unquantized[-1] if point.sparsity > 0 else unquantized[0]


def figure(info: Spending) -> go.Figure:
    """Draw a bar for every stage: seconds spent on its models, and seconds saved by the store."""
    drawing = theme.figure("seconds", "", height=120 + 40 * len(info.stages))
    if info.stages.empty:
        return theme.note_empty(drawing, "No model has been measured yet.")
    parts = (
        ("seconds", "models", "made", theme.PALETTE[0]),
        ("saved", "reused", "taken from the store again", theme.PALETTE[4]),
    )
    for column, count, name, colour in parts:
        drawing.add_bar(
            y=[theme.plain(name) for name in info.stages["stage"]],
            x=info.stages[column],
            orientation="h",
            width=0.55,
            name=name,
            marker={"color": colour},
            hovertext=[f"{row[count]:,} models {name}: {row[column]:,.0f} s" for row in info.stages.to_dict("records")],
            hoverinfo="text",
        )
    drawing.update_layout(barmode="stack")
    return drawing.update_yaxes(autorange="reversed", showgrid=False)
