"""Means over seeds: a model's mean accuracy, the confidence interval, and the front of means.

Points that differ in the seed alone are a family. The most accurate point of its size in a study is often a lucky one;
the front of the families' means shows the accuracy to expect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, stdev
from typing import Any

from scipy.special import stdtrit

from compress.figures import LATENCY, RECORDED, TEST, VALIDATION
from compress.quality import Quality
from search.study.front import front, measured_on
from search.study.record import Point

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Family:
    """A model trained with one or several seeds; the point of the study's own seed comes first."""

    points: tuple[Point, ...]

    @property
    def quality(self) -> Quality:
        """Return the study's quality."""
        return self.points[0].quality

    @property
    def validation(self) -> float:
        """Return the mean score on validation, at most 1."""
        return _mean(point.measured.score_validation for point in self.points)

    @property
    def test(self) -> float:
        """Return the mean score on test, at most 1."""
        return _mean(point.measured.score_test for point in self.points)

    @property
    def spread(self) -> float | None:
        """Return the standard deviation of the validation score over the seeds; None with one seed."""
        return stdev(point.measured.score_validation for point in self.points) if len(self.points) > 1 else None

    @property
    def margin(self) -> float | None:
        """Return half the width of the confidence interval of `validation`, by Student's t; None with one seed.

        Of a share the margin is at most the distance from `validation` to the farther of 0 and 1: with two seeds t
        alone is 12.7.
        """
        if self.spread is None:
            return None
        margin = _margin(self.spread, len(self.points))
        return min(margin, max(self.validation, 1 - self.validation)) if self.quality.is_share else margin

    def lower_end(self, usual: float) -> float | None:
        """Return the lower end of the confidence interval, of a share in [0, 1]; None with one seed.

        A spread smaller than the `usual` spread is taken for chance, and replaced by the usual spread. Otherwise, of
        many families of three seeds, those whose seeds agree by chance would win.
        """
        if self.spread is None:
            return None
        lower = self.validation - _margin(max(self.spread, usual), len(self.points))
        return max(0.0, lower) if self.quality.is_share else lower

    @property
    def mean(self) -> Point:
        """Return the first point with the mean accuracies and costs of all points.

        Latency is the mean over points measured where the first was.
        """
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
        """Return the figures shown beside the first point's own, in the quality's unit."""
        margin = None if self.margin is None else self.quality.amount(self.margin)
        means = {"validation": self.quality.value(self.validation), "test": self.quality.value(self.test)}
        return {"count": len(self.points), **means, "margin": margin}


@dataclass(frozen=True)
class Difference:
    """Difference in accuracy between two families: the mean over the `count` seeds of both.

    `margin` is half the width of the confidence interval of the mean. Seeds are paired, for two models of a seed may
    share their teacher, or even the network before the cut.
    """

    mean: float
    margin: float
    count: int

    @property
    def is_told(self) -> bool:
        """Return whether the difference is more than chance.

        A margin of 0 is chance too: two or three seeds can agree to the last image.
        """
        return abs(self.mean) > self.margin > 0


def difference(one: Family, other: Family) -> Difference | None:
    """Return the difference between two families; None unless both have two seeds in common."""
    ours, theirs = (
        {point.recipe.get("seed"): point.measured.score_validation for point in family.points}
        for family in (one, other)
    )
    each = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    return paired(each) if len(each) > 1 else None


def paired(each: Sequence[float]) -> Difference:
    """Return the mean of differences, one a seed and at least two, with its margin."""
    return Difference(_mean(each), _margin(stdev(each), len(each)), len(each))


def usual_spread(found: Iterable[Family]) -> float:
    """Return the median spread of the families with several seeds; 0 without any."""
    return median([family.spread for family in found if family.spread is not None] or [0.0])


def families(points: Iterable[Point]) -> list[Family]:
    """Group points into families, in the order of their first points."""
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.family or point.id, []).append(point)
    return [Family(tuple(sorted(some, key=lambda point: point.id != name))) for name, some in found.items()]


def front_of(points: Iterable[Point], objectives: Sequence[str]) -> list[Family]:
    """Return the families whose means are not dominated, by falling accuracy."""
    points = list(points)
    if not any(point.family for point in points):
        return [Family((point,)) for point in front(points, objectives)]
    means = {family.mean.id: (family.mean, family) for family in families(points)}
    return [means[point.id][1] for point in front([mean for mean, _ in means.values()], objectives)]


def middle(found: Sequence[Family]) -> Point | None:
    """Return the middle point of a front by params, the upper of two, as an example; None for an empty front.

    The point is the first of its family, so a budget or filter with the point's figures finds at least this point.
    """
    points = sorted((family.points[0] for family in found), key=lambda point: point.measured.params)
    return points[len(points) // 2] if points else None


def _mean(each: Iterable[float]) -> float:
    """Return the mean rounded to nine digits, so that equal means compare equal; a single value stays as it is."""
    values = list(each)
    return values[0] if len(values) == 1 else round(fmean(values), 9)


def _margin(spread: float, count: int) -> float:
    return float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2)) * spread / math.sqrt(count)
