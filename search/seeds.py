"""What a model comes to when all of it is trained again with other seeds: mean accuracy, its confidence, the front.

Points that differ in nothing but the seed are one family. Over a whole study the most accurate point of its size is
often a lucky one; the front of the families' means is what can be expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from search.front import front
from search.record import Point

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Family:
    """One model by seeds, that of the study's own seed first."""

    points: tuple[Point, ...]

    @property
    def validation(self) -> float:
        """Mean validation accuracy, in [0, 1]."""
        return fmean(point.measured.accuracy_validation for point in self.points)

    @property
    def test(self) -> float:
        """Mean test accuracy, in [0, 1]."""
        return fmean(point.measured.accuracy_test for point in self.points)

    @property
    def margin(self) -> float | None:
        """Half the width of the interval of confidence of `validation`, by Student's t; None with one seed."""
        count = len(self.points)
        if count == 1:
            return None
        spread = stdev(point.measured.accuracy_validation for point in self.points)
        quantile = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2))
        return quantile * spread / math.sqrt(count)

    @property
    def mean(self) -> Point:
        """The first one with the mean accuracies and costs of all."""
        if len(self.points) == 1:
            return self.points[0]
        costs = ("params", "nonzero_params", "macs", "size_bytes", "compressed_bytes")
        means: dict[str, Any] = {
            name: round(fmean(getattr(point.measured, name) for point in self.points)) for name in costs
        }
        means["latency_ms"] = fmean(point.measured.latency_ms for point in self.points)
        means |= {"accuracy_validation": self.validation, "accuracy_test": self.test}
        return replace(self.points[0], measured=replace(self.points[0].measured, **means))

    def as_json(self) -> dict[str, float | None]:
        """What is said beside the first point's own figures."""
        return {"count": len(self.points), "validation": self.validation, "test": self.test, "margin": self.margin}


def families(points: Iterable[Point]) -> list[Family]:
    """In the order of their first points."""
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.family or point.id, []).append(point)
    return [Family(tuple(sorted(some, key=lambda point: point.id != name))) for name, some in found.items()]


def front_of(points: Iterable[Point], objectives: Sequence[str]) -> list[Family]:
    """The families whose means no other's beat, by falling accuracy."""
    means = {family.mean.id: (family.mean, family) for family in families(points)}
    return [means[point.id][1] for point in front([mean for mean, _ in means.values()], objectives)]
