"""A study's models as a budget sees them: of each the mean over its seeds, the seed that ships, what it is over.

A model that was trained with several seeds claims their mean, or by `robust` the lower end of its confidence. What is
shipped is the seed whose validation accuracy is nearest to the mean, so that it keeps what is claimed; not the best
one, which is the luckiest too. Seeds that are beyond the budget themselves are shipped only if all are. Costs are those
of the model that ships.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from search.budget import Budget, figure, option
from search.record import JsonDict, Point
from search.seeds import Family, usual_spread

_ROUNDING = 1e-9  # 29 % of 100 is 28.999999999999996 in floats


@dataclass(frozen=True)
class Offer:
    """A model, trained with one seed or several, under a budget.

    `point` is the seed that would be shipped, with its own figures, `weighed` the same with the accuracy that the
    family is compared by. `over` is by violated bound: relative for a cost (.1 is 10 % over), absolute for
    `min_accuracy` (.01 is a point under). `total` sums the relative overshoots, of `min_accuracy` too; a figure that is
    NaN is infinitely over.
    """

    family: Family
    point: Point
    weighed: Point
    over: Mapping[str, float]
    total: float

    @property
    def label(self) -> str:
        """As it is called in a sentence."""
        variant = "" if self.point.variant == "float" else f" ({self.point.variant})"
        return f"trial {self.point.trial} at {100 * self.point.sparsity:.3g} %{variant}"

    def as_json(self) -> JsonDict:
        """The point that ships, with what is known of its other seeds and the accuracy it is compared by."""
        seeds = {**self.family.as_json(), "weighed": self.weighed.measured.accuracy_validation}
        return {**self.point.as_json(), "seeds": seeds}

    def miss_as_json(self) -> JsonDict:
        """The point and its overshoots."""
        return {"point": self.as_json(), "over": dict(self.over), "total": self.total}

    def __str__(self) -> str:
        costs = [f"{option(name)} by {percent(by)}" for name, by in self.over.items() if name != "min_accuracy"]
        short = [f"min-accuracy by {100 * by:.2g} points" for name, by in self.over.items() if name == "min_accuracy"]
        return f"{self.label} misses {', '.join(costs + short)}"


def offers(found: Sequence[Family], budget: Budget, *, robust: bool = False) -> list[Offer]:
    """The least beyond the budget first; with `robust` those with several seeds only."""
    usual = usual_spread(found)
    claims = [(family, family.lower_end(usual) if robust else family.validation) for family in found]
    made = [_offer(family, claim, budget) for family, claim in claims if claim is not None]
    return sorted(made, key=lambda offer: offer.total)


def _offer(family: Family, claim: float, budget: Budget) -> Offer:
    def rank(point: Point) -> tuple[float, float]:
        away = round(abs(point.measured.accuracy_validation - family.validation), 9)
        return _total(_over(point, budget), budget), away

    point = min(family.points, key=rank)  # of equal ones the study's own seed
    weighed = replace(point, measured=replace(point.measured, accuracy_validation=claim))
    over = {**_over(point, budget), **_over(weighed, budget)}
    return Offer(family, point, weighed, over, _total(over, budget))


def _over(point: Point, budget: Budget) -> dict[str, float]:
    over: dict[str, float] = {}
    for name, amount in budget.bounds.items():
        has, limit = figure(point, name), amount.value
        beyond = limit - has if name == "min_accuracy" else has - limit
        if not beyond <= _ROUNDING * limit:
            over[name] = beyond if name == "min_accuracy" else _relative(beyond, limit)
    return over


def _total(over: Mapping[str, float], budget: Budget) -> float:
    relative = {**over}
    if "min_accuracy" in over:
        relative["min_accuracy"] = _relative(over["min_accuracy"], budget.bounds["min_accuracy"].value)
    return sum(relative.values())


def _relative(beyond: float, limit: float) -> float:
    return beyond / limit if limit and not math.isnan(beyond) else math.inf


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:,.0f} %" if share >= 1 else f"{100 * share:.3g} %"
