"""Bounds on a search: recipes out of bounds are not trained, and points out of bounds have no worth for the sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.costs import PredictedPoint
from compress.quality import ACCURACY, Quality
from search.selection.budget import QUALITY_BOUNDS, Budget


@dataclass(frozen=True)
class Bounds:
    """Upper bounds `most` by cost, and a `limit` of the `quality` on validation, None without.

    With `of_teacher`, `limit` is a share of the unpruned teacher's quality.
    """

    most: Mapping[str, float]
    limit: float | None = None
    of_teacher: bool = False
    quality: Quality = ACCURACY

    @classmethod
    def of(cls, budget: Budget, whole: Mapping[str, float], quality: Quality = ACCURACY) -> Bounds:
        """Return the bounds of a budget; shares are of the costs in `whole`."""
        most = {
            name.removeprefix("max_"): amount.value * (whole[name.removeprefix("max_")] if amount.is_share else 1)
            for name, amount in budget.bounds.items()
            if name not in QUALITY_BOUNDS
        }
        limits = [amount for name, amount in budget.bounds.items() if name in QUALITY_BOUNDS]
        if not limits:
            return cls(most, quality=quality)
        return cls(most, limits[0].value, limits[0].is_share, quality)

    def over(self, points: Sequence[PredictedPoint]) -> dict[str, float]:
        """Return {} if any point is within all bounds, else the share by which the nearest point exceeds each bound."""
        misses = [
            {name: by for name, most in self.most.items() if (by := point.figures[name] / most - 1) > 1e-9}
            for point in points
        ]
        return min(misses, key=lambda miss: (len(miss) > 0, sum(miss.values())), default={})

    def worst(self, teacher: float | None) -> float:
        """Return the largest error within the bounds, one minus the least score; 1 without a bound.

        `teacher` is the unpruned teacher's score. The error is 1 while `limit` is a share of an unknown teacher's
        quality.
        """
        if self.limit is None or (self.of_teacher and teacher is None):
            return 1.0
        if self.of_teacher and teacher is not None:
            return 1 - self.quality.score(self.limit * self.quality.value(teacher))
        return 1 - self.quality.score(self.limit)


UNBOUNDED = Bounds({})
