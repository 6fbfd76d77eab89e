"""What a model comes to when all of it is trained again with other seeds: mean accuracy, its confidence, the front.

Points that differ in nothing but the seed are one family. Over a whole study the most accurate point of its size is
often a lucky one; the front of the families' means is what can be expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, stdev
from typing import Any

from scipy.special import stdtrit

from compress.figures import LATENCY, RECORDED, TEST, VALIDATION
from search.study.front import front, measured_on
from search.study.record import Point

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Family:
    """One model by seeds, that of the study's own seed first."""

    points: tuple[Point, ...]

    @property
    def validation(self) -> float:
        """Mean validation accuracy, in [0, 1]."""
        return _mean(point.measured.accuracy_validation for point in self.points)

    @property
    def test(self) -> float:
        """Mean test accuracy, in [0, 1]."""
        return _mean(point.measured.accuracy_test for point in self.points)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the validation accuracy from seed to seed; None with one seed."""
        return stdev(point.measured.accuracy_validation for point in self.points) if len(self.points) > 1 else None

    @property
    def margin(self) -> float | None:
        """Half the width of the interval of confidence of `validation`, by Student's t; None with one seed.

        At most what reaches from `validation` to both 0 and 1: with two seeds t alone is 12.7.
        """
        if self.spread is None:
            return None
        return min(_margin(self.spread, len(self.points)), max(self.validation, 1 - self.validation))

    def lower_end(self, usual: float) -> float | None:
        """Of that interval, in [0, 1]; None with one seed.

        Where the seeds agree by more than is `usual` (a spread), that is taken for chance: the interval is that of the
        usual spread. To go by the spread of three seeds alone is to look for three that happen to agree.
        """
        if self.spread is None:
            return None
        return max(0.0, self.validation - _margin(max(self.spread, usual), len(self.points)))

    @property
    def mean(self) -> Point:
        """The first one with the mean accuracies and costs of all; its latency is of those measured where it was."""
        if len(self.points) == 1:
            return self.points[0]
        means: dict[str, Any] = {
            cost.name: round(fmean(cost.value(point.measured) for point in self.points))
            for cost in RECORDED
            if cost.is_foreseen
        }
        alike = [point for point in self.points if measured_on(point) == measured_on(self.points[0])]
        means[LATENCY] = fmean(point.measured.latency_ms for point in alike)
        means |= {VALIDATION.name: self.validation, TEST.name: self.test}
        return replace(self.points[0], measured=replace(self.points[0].measured, **means))

    def as_json(self) -> dict[str, float | None]:
        """What is said beside the first point's own figures."""
        return {"count": len(self.points), "validation": self.validation, "test": self.test, "margin": self.margin}


@dataclass(frozen=True)
class Difference:
    """By how much one family is more accurate than another: the mean over the `count` seeds that both have.

    `margin` is half the width of its interval of confidence. Seed by seed, for two models of one seed may share their
    teacher, or even the network that both were cut from.
    """

    mean: float
    margin: float
    count: int

    @property
    def is_told(self) -> bool:
        """Whether it is more than chance; two or three seeds that agree to the image do so by chance too."""
        return abs(self.mean) > self.margin > 0


def difference(one: Family, other: Family) -> Difference | None:
    """Between two families; None unless they have two seeds in common."""
    ours, theirs = (
        {point.recipe.get("seed"): point.measured.accuracy_validation for point in family.points}
        for family in (one, other)
    )
    each = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    if len(each) < 2:
        return None
    return Difference(_mean(each), _margin(stdev(each), len(each)), len(each))


def usual_spread(found: Iterable[Family]) -> float:
    """The median of the spreads of those with several seeds; 0 if there are none."""
    return median([family.spread for family in found if family.spread is not None] or [0.0])


def families(points: Iterable[Point]) -> list[Family]:
    """In the order of their first points."""
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.family or point.id, []).append(point)
    return [Family(tuple(sorted(some, key=lambda point: point.id != name))) for name, some in found.items()]


def front_of(points: Iterable[Point], objectives: Sequence[str]) -> list[Family]:
    """The families whose means no other's beat, by falling accuracy."""
    points = list(points)
    if not any(point.family for point in points):
        return [Family((point,)) for point in front(points, objectives)]
    means = {family.mean.id: (family.mean, family) for family in families(points)}
    return [means[point.id][1] for point in front([mean for mean, _ in means.values()], objectives)]


def middle(found: Sequence[Family]) -> Point | None:
    """Of a front the point in the middle by params, the upper of two, whose figures make an example; None of none.

    It is its family's first one, so a budget of its params and a filter for its own figures find something.
    """
    points = sorted((family.points[0] for family in found), key=lambda point: point.measured.params)
    return points[len(points) // 2] if points else None


def _mean(each: Iterable[float]) -> float:
    """To nine digits, so that what came to the same is the same; of one value that value."""
    values = list(each)
    return values[0] if len(values) == 1 else round(fmean(values), 9)


def _margin(spread: float, count: int) -> float:
    return float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2)) * spread / math.sqrt(count)
