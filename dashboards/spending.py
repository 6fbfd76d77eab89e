"""Where the seconds went: what the models of each stage took to make, what the workers did, what the store saved.

A point's seconds are those of its own step, beyond the model it was made from. A step that several trials share was
made once and counts once; each further trial that has it took it from the store.
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

    `stages` has a row a stage: its distinct models, what they took to make, how often one was taken from the store
    again and what making it again would have taken. `work` says what the workers did by falling seconds, all of
    `worked`; `saved` is the least that the store saved, `anew` what its curves take without one.
    """

    stages: pd.DataFrame
    work: dict[str, float]
    worked: float
    saved: float

    @property
    def anew(self) -> float:
        """Seconds, teachers and all as they were."""
        return self.worked + self.saved


def info(study: StudyRecord) -> Spending:
    """Of all trials that are not running.

    Saved is the larger of two bounds: what was taken from the store again by a trial of this study, and what all points
    of all trials take anew beyond what was worked (more where an earlier study had made them).
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
        for what, value in trial.spent.items():
            work[what] += value
        work["other"] += max(0.0, trial.seconds - sum(trial.spent.values()))
        for point in trial.points:
            name = stage(point)
            (reused if point.id in seen else made)[name] += 1
            (saved if point.id in seen else seconds)[name] += point.measured.seconds
            seen.add(point.id)
    rows = [(name, made[name], seconds[name], reused[name], saved[name]) for name in made]
    whole = sum(seconds.values()) + sum(saved.values())
    least = max(sum(saved.values()), whole - worked)
    falling = sorted(((what, value) for what, value in work.items() if value > 0), key=lambda one: -one[1])
    return Spending(pd.DataFrame(rows, columns=list(COLUMNS)), dict(falling), worked, least)


def stage(point: Point) -> str:
    """The stage of its recipe that made it, such as `distill` or `prune`."""
    stages: list[str] = [one["type"] for one in point.recipe.get("stages", ())]  # type: ignore[attr-defined]
    if point.variant != "float" or not stages:
        return "quantize" if stages else "model"
    whole = [name for name in stages if name != "quantize"]
    return whole[-1] if point.sparsity > 0 else whole[0]


def figure(info: Spending) -> go.Figure:
    """Draw it: a bar a stage, what its models took and what the store saved."""
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
