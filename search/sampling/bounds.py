"""A budget given when a search begins: what cannot fit is not trained, and what does not fit is not aimed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.costs import PredictedPoint
from search.selection.budget import Budget


@dataclass(frozen=True)
class Bounds:
    """`most` by cost, `least` the accuracy or, if `of_teacher`, its share of the unpruned teacher's."""

    most: Mapping[str, float]
    least: float = 0.0
    of_teacher: bool = False

    @classmethod
    def of(cls, budget: Budget, whole: Mapping[str, float]) -> Bounds:
        """A budget whose shares are of the costs in `whole`."""
        most = {
            name.removeprefix("max_"): amount.value * (whole[name.removeprefix("max_")] if amount.is_share else 1)
            for name, amount in budget.bounds.items()
            if name != "min_accuracy"
        }
        least = budget.bounds.get("min_accuracy")
        return cls(most, least.value if least else 0.0, bool(least and least.is_share))

    def over(self, points: Sequence[PredictedPoint]) -> dict[str, float]:
        """{} if one of the points is within all bounds, else the share by which the nearest one is over each."""
        misses = [
            {name: by for name, most in self.most.items() if (by := point.figures[name] / most - 1) > 1e-9}
            for point in points
        ]
        return min(misses, key=lambda miss: (len(miss) > 0, sum(miss.values())), default={})

    def worst(self, teacher: float | None) -> float:
        """The largest error that is of interest, once the teacher's accuracy is known if it matters."""
        if self.of_teacher:
            return 1.0 if teacher is None else 1 - self.least * teacher
        return 1 - self.least


UNBOUNDED = Bounds({})
