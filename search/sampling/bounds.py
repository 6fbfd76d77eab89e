"""Bounds on a search: recipes out of bounds are not trained, and points out of bounds have no worth for the sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.costs import PredictedPoint
from search.selection.budget import Budget


@dataclass(frozen=True)
class Bounds:
    """Upper bounds `most` by cost, and the least accuracy `least`.

    With `of_teacher`, `least` is a share of the unpruned teacher's accuracy.
    """

    most: Mapping[str, float]
    least: float = 0.0
    of_teacher: bool = False

    @classmethod
    def of(cls, budget: Budget, whole: Mapping[str, float]) -> Bounds:
        """Return the bounds of a budget; shares are of the costs in `whole`."""
        most = {
            name.removeprefix("max_"): amount.value * (whole[name.removeprefix("max_")] if amount.is_share else 1)
            for name, amount in budget.bounds.items()
            if name != "min_accuracy"
        }
        least = budget.bounds.get("min_accuracy")
        return cls(most, least.value if least else 0.0, bool(least and least.is_share))

    def over(self, points: Sequence[PredictedPoint]) -> dict[str, float]:
        """Return {} if any point is within all bounds, else the share by which the nearest point exceeds each bound."""
        misses = [
            {name: by for name, most in self.most.items() if (by := point.figures[name] / most - 1) > 1e-9}
            for point in points
        ]
        return min(misses, key=lambda miss: (len(miss) > 0, sum(miss.values())), default={})

    def worst(self, teacher: float | None) -> float:
        """Return the largest error within the bounds, in [0, 1].

        The error is 1 while `least` is a share of an unknown teacher's accuracy.
        """
        if self.of_teacher:
            return 1.0 if teacher is None else 1 - self.least * teacher
        return 1 - self.least


UNBOUNDED = Bounds({})
