"""A study's models rated under a budget: the mean over a model's seeds, the seed to ship, and the violated bounds.

A model trained with several seeds claims their mean accuracy, or with `robust` the lower end of the confidence
interval. The seed with the validation accuracy nearest to the mean is shipped, for that seed keeps the claim; the best
seed is also the luckiest. Of two equally near seeds, as any two seeds are, the less accurate is shipped: the study's
own seed was selected for being good. Seeds beyond the budget themselves are shipped only if all are. Costs are those of
the shipped model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal

from compress.quality import Quality
from search.selection.amount import plain
from search.selection.budget import QUALITY_BOUNDS, Budget, figure, is_least, option, title
from search.study.record import JsonDict, Point
from search.study.seeds import Family, usual_spread

_ROUNDING = 1e-9  # 29 % of 100 is 28.999999999999996 in floats
_AS_NEAR = 2e-9  # a mean is rounded to nine digits


@dataclass(frozen=True)
class RatedModel:
    """A model, trained with one or several seeds, under a budget.

    `point` is the seed to ship, with its own figures; `weighed` is the same point with the accuracy used in
    comparisons. `over` holds the overshoot of each violated bound: relative for a cost (.1 is 10 % over), absolute for
    a quality (.01 of an accuracy is a point under). `total` sums the relative overshoots, the quality's included; a NaN
    figure is infinitely over. `needs` holds, for a reported miss, the amount to type instead of each violated bound
    (`search/selection/widening.py`).
    """

    family: Family
    point: Point
    weighed: Point
    over: Mapping[str, float]
    total: float
    needs: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return the model's name in a sentence; trial 0 is the unpruned teacher's."""
        if self.point.trial == 0 and self.point.sparsity == 0:
            return "the unpruned teacher"
        variant = "" if self.point.variant == "float" else f", {self.point.variant}"
        return f"point {self.point.id[:8]} (trial {self.point.trial} at {100 * self.point.sparsity:.3g}%{variant})"

    def has(self, bound: str) -> float:
        """Return the figure compared with a bound; for a quality the worse of the claim and the shipped seed's."""
        both = figure(self.weighed, bound), figure(self.point, bound)
        return max(both) if bound == "quality" and not self.point.quality.higher_is_better else min(both)

    def as_json(self) -> JsonDict:
        """Return the shipped point, with the means over its seeds and the accuracy used in comparisons."""
        quality = self.point.quality
        seeds = {**self.family.as_json(), "weighed": quality.value(self.weighed.measured.score_validation)}
        return {**self.point.as_json(), "seeds": seeds}

    def miss_as_json(self) -> JsonDict:
        """Return the point, its overshoots and the amounts to type instead."""
        return {"point": self.as_json(), "over": dict(self.over), "total": self.total, "needs": dict(self.needs)}

    def __str__(self) -> str:
        needs = f" (needs {typed(self.needs, ' ')})" if self.needs else ""
        misses = (_miss(name, by, self.point.quality) for name, by in self.over.items())
        return f"{self.label} misses {', '.join(misses)}{needs}"


def rated_models(found: Sequence[Family], budget: Budget, *, robust: bool = False) -> list[RatedModel]:
    """Rate the families, in the order of `found`; with `robust` only families with several seeds."""
    usual = usual_spread(found)
    claims = [(family, family.lower_end(usual) if robust else family.validation) for family in found]
    return [_offer(family, claim, budget) for family, claim in claims if claim is not None]


def is_within(has: float, limit: float, *, least: bool) -> bool:
    """Return whether a figure keeps a bound, a lower bound with `least`; NaN keeps none."""
    return _beyond(has, limit, least=least) <= _ROUNDING * abs(limit)


def typed(needs: Mapping[str, str], between: str) -> str:
    """Write bounds as command-line options."""
    return between.join(f"--{option(name)} {text}" for name, text in needs.items())


def _offer(family: Family, claim: float, budget: Budget) -> RatedModel:
    point = _shipped(family, budget)
    over = _over(_claiming(point, min(claim, point.measured.score_validation)), budget)
    return RatedModel(family, point, _claiming(point, claim), over, _total(over, budget))


def _shipped(family: Family, budget: Budget) -> Point:
    """Return the seed least beyond the budget, then nearest to the mean, then least accurate, then first."""
    if len(family.points) == 1:
        return family.points[0]
    totals = [_total(_over(point, budget), budget) for point in family.points]
    points = [point for point, total in zip(family.points, totals, strict=True) if total == min(totals)]
    mean = family.validation
    away = [abs(point.measured.score_validation - mean) for point in points]
    near = [point for point, by in zip(points, away, strict=True) if by <= min(away) + _AS_NEAR]
    return min(near, key=lambda point: point.measured.score_validation)


def _claiming(point: Point, accuracy: float) -> Point:
    if accuracy == point.measured.score_validation:
        return point
    return replace(point, measured=replace(point.measured, score_validation=accuracy))


def _over(point: Point, budget: Budget) -> dict[str, float]:
    over: dict[str, float] = {}
    for name, amount in budget.bounds.items():
        has, limit, least = figure(point, name), amount.value, is_least(name, point.quality)
        if not is_within(has, limit, least=least):
            beyond = _beyond(has, limit, least=least)
            over[name] = beyond if name in QUALITY_BOUNDS else _relative(beyond, limit)
    return over


def _beyond(has: float, limit: float, *, least: bool) -> float:
    return limit - has if least else has - limit


def _total(over: Mapping[str, float], budget: Budget) -> float:
    bounds = budget.bounds
    return sum(_relative(by, bounds[name].value) if name in QUALITY_BOUNDS else by for name, by in over.items())


def _relative(beyond: float, limit: float) -> float:
    return math.inf if math.isnan(beyond) else beyond / (abs(limit) or 1.0)  # a quality may be bounded by 0, or below


def _miss(name: str, by: float, quality: Quality) -> str:
    """Describe an overshoot, rounded up, so that a bound widened by the figure is wide enough."""
    named = title(name, quality)
    if math.isinf(by):
        return f"{named}, which was not measured"
    if name == "quality":
        return f"{named} by {plain(by, 3, ROUND_CEILING)} {quality.unit}".rstrip()
    rounded = Decimal(plain(round(100 * by, 9), 3, ROUND_CEILING))
    return f"{named} by {rounded:,}{' points' if name == 'min_accuracy' else '%'}"
