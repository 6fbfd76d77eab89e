"""What `paretune compare` says in words: the studies side by side, the front of all, and budgets."""

from __future__ import annotations

from collections.abc import Iterator

from compress.figures import COSTS, Figure, graded
from compress.quality import Quality
from paretune.words.fitted_table import Column, FittedTable
from paretune.words.tables import points_table
from search.study.better import Range
from search.study.comparison import Comparison

ALONE = "alone there: that no other study has"
ADDS = "adds: hypervolume of all that is lost without the study"
_COSTS = {cost.name: cost for cost in COSTS}


def studies_table(found: Comparison) -> FittedTable:
    """Return a row for each study."""
    heads = ("models", "front", "on the front of all", "alone there", "hypervolume", "adds")
    notes = {"alone there": ALONE, "adds": ADDS}
    made = FittedTable([Column("study", words=True), *(Column(head, note=notes.get(head, "")) for head in heads)])
    total = len(found.joint)
    for one in found.studies:
        made.add_row(
            one.name,
            f"{one.models:,}",
            str(len(one.front)),
            _share(one.on_joint, total),
            _share(one.alone, total),
            f"{one.hypervolume:.4f}",
            f"{one.adds:.4f}",
        )
    made.title = (
        f"{', '.join(found.objectives)} of {len(found.studies)} studies, hypervolume of all {found.hypervolume:.4f}"
    )
    return made


def joint_table(found: Comparison) -> FittedTable:
    """Return the front of all, a point a row, with the studies that have a model as good."""
    rows = [{**each.family.points[0].as_json(), "seeds": each.family.as_json()} for each in found.joint]
    studies = [", ".join(each.studies) for each in found.joint]
    made = points_table(rows, found.quality, studies=studies, objectives=found.objectives)
    made.title = f"the front of all: {len(found.joint)} points"
    return made


def budgets(found: Comparison) -> Iterator[str]:
    """Yield a line for each cost and range of budgets, then the reference and the notes."""
    quality, _ = graded(found.quality)
    for cost, each in found.ranges.items():
        yield f"best {quality.axis} within a budget of {_COSTS[cost].title}:"
        yield from (f"  {_range(one, _COSTS[cost], quality, len(found.studies))}" for one in each)
    worst = (f"{name} {_worst(found.quality, name, found.reference_point[name])}" for name in found.objectives)
    yield f"hypervolume: from the reference {', '.join(worst)}"
    yield from (f"note: {note}" for note in found.notes)


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})" if total else "0"


def _range(one: Range, cost: Figure, quality: Figure, studies: int) -> str:
    low = _written(cost, one.low)
    where = f"from {low}" if one.high is None else f"{low} to below {_written(cost, one.high)}"
    who = "all equal" if len(one.best) == studies else " and ".join(one.best)
    if one.lead is None:
        return f"{where}: {who}" + ("" if len(one.best) == studies else ", no other has a model so small")
    least, most = (quality.style.text(quality.quality.amount(lead)) for lead in one.lead)
    unit = quality.quality.unit and f" {quality.quality.unit}"
    return f"{where}: {who}, by {least if least == most else f'{least} to {most}'}{unit}"


def _written(cost: Figure, value: float) -> str:
    return cost.style.text(value if cost.style.spec != "," else round(value))


def _worst(quality: Quality, objective: str, value: float) -> str:
    return f"{value:,.9g}" if objective in _COSTS else f"{quality.value(value):.4g}"
