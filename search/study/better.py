"""Budgets at which a study is better: the best quality on validation within a cost, study by study.

Within a budget a study offers its best model that costs no more. From one model's cost to the next nothing
changes, so the budgets fall into ranges with the same best studies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.quality import Quality
from search.study.front import value
from search.study.record import JsonDict, Point


@dataclass(frozen=True)
class Range:
    """Budgets `low` <= budget < `high` of a cost, at which the `best` studies offer the most.

    `high` is None for the last range. `lead` is the least and the greatest distance in score to the best other study;
    None where no other study has a model so small, or where all are equal.
    """

    low: float
    high: float | None
    best: tuple[str, ...]
    lead: tuple[float, float] | None

    def as_json(self, quality: Quality) -> JsonDict:
        """Return the form printed by `paretune compare --json`; the lead is in the unit of the quality."""
        lead = self.lead and [quality.amount(score) for score in self.lead]
        return {"from": self.low, "below": self.high, "best": list(self.best), "lead": lead}


def ranges(means: Mapping[str, Sequence[Point]], cost: str) -> tuple[Range, ...]:
    """Return the ranges of one cost by rising budget, over the means of the studies' fronts by study."""
    steps = sorted({value(point, cost) for found in means.values() for point in found})
    made: list[Range] = []
    for at, low in enumerate(steps):
        high = steps[at + 1] if at + 1 < len(steps) else None
        scores = {name: _best_score(found, cost, low) for name, found in means.items()}
        most = max(scores.values())
        best = tuple(name for name, score in scores.items() if score == most)
        rest = [score for name, score in scores.items() if name not in best and score > -math.inf]
        lead = (most - max(rest),) * 2 if rest else None
        before = made[-1] if made else None
        if before is not None and before.best == best and (before.lead is None) == (lead is None):
            both = (before.lead or ()) + (lead or ())
            made[-1] = Range(before.low, high, best, (min(both), max(both)) if both else None)
        else:
            made.append(Range(low, high, best, lead))
    return tuple(made)


def _best_score(points: Sequence[Point], cost: str, budget: float) -> float:
    within = (point.measured.score_validation for point in points if value(point, cost) <= budget)
    return max(within, default=-math.inf)
