"""The point to ship under a budget: the best of those that fit, why it is, what binds, what a larger budget would buy.

Bounds and accuracy are read off the validation split: the test accuracy of a point plays no part in its
choice, and is only reported with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.budget import Budget, figure, option
from search.preference import ACCURACY, LATENCY, is_better, order
from search.record import JsonDict, Point

_ROUNDING = 1e-9  # 29 % of 100 is 28.999999999999996 in floats


@dataclass(frozen=True)
class Miss:
    """A point that does not fit, and by how much.

    `over` is by violated bound: relative for a cost (.1 is 10 % over), absolute for `min_accuracy` (.01 is
    a point under). `total` sums the relative overshoots, of `min_accuracy` too; a figure that is NaN is
    infinitely over.
    """

    point: Point
    over: Mapping[str, float]
    total: float

    def as_json(self) -> JsonDict:
        """The point and its overshoots."""
        return {"point": self.point.as_json(), "over": dict(self.over), "total": self.total}

    def __str__(self) -> str:
        costs = [f"{option(name)} by {_percent(by)}" for name, by in self.over.items() if name != "min_accuracy"]
        short = [f"min-accuracy by {100 * by:.2g} points" for name, by in self.over.items() if name == "min_accuracy"]
        return f"{_label(self.point)} misses {', '.join(costs + short)}"


@dataclass(frozen=True)
class Choice:
    """What a budget lets one choose.

    `fits` are the points within all bounds, the best first, as `prefer` has it (`search/preference.py`). `binding` are
    the bounds that keep a better point out: those that do alone or, where none does, those that the nearest better
    point violates. `more` is the better point that is the least beyond the budget, None if there is none. `misses` are
    the nearest points where nothing fits, else empty.
    """

    budget: Budget
    fits: tuple[Point, ...]
    binding: tuple[str, ...]
    misses: tuple[Miss, ...]
    prefer: str = ACCURACY
    more: Miss | None = None

    @property
    def best(self) -> Point | None:
        """The point to ship, or None where nothing fits."""
        return self.fits[0] if self.fits else None

    @property
    def runner_up(self) -> Point | None:
        """The second best point, or None."""
        return self.fits[1] if len(self.fits) > 1 else None

    @property
    def why(self) -> str:
        """Why the runner-up lost, in a sentence; "" without one."""
        return _why(self.fits[1], self.fits[0]) if len(self.fits) > 1 else ""

    @property
    def more_buys(self) -> str:
        """What the least of a larger budget would buy, in a sentence; "" where there is nothing better."""
        if self.more is None:
            return ""
        wider = " and ".join(_wider(name, by) for name, by in self.more.over.items())
        gain = _gain(self.more.point, self.fits[0], self.prefer)
        return f"{wider} buys {_label(self.more.point)}, {gain}"

    def as_json(self) -> JsonDict:
        """The form `paretune select --json` prints."""
        return {
            "prefer": self.prefer,
            "bounds": {name: amount.value for name, amount in self.budget.bounds.items()},
            "best": self.best.as_json() if self.best else None,
            "runner_up": self.runner_up.as_json() if self.runner_up else None,
            "why": self.why,
            "fits": len(self.fits),
            "binding": list(self.binding),
            "more": self.more.as_json() if self.more else None,
            "misses": [miss.as_json() for miss in self.misses],
        }


def choose(points: Sequence[Point], budget: Budget, *, prefer: str = ACCURACY, nearest: int = 3) -> Choice:
    """The points within the budget, or the `nearest` misses; ValueError for a share not yet resolved."""
    for name, amount in budget.bounds.items():
        if amount.is_share:
            raise ValueError(f"{option(name)}: {amount} is a share, resolve the budget with the teacher first")
    judged = sorted((_miss(point, budget) for point in points), key=lambda miss: miss.total)
    within = [miss.point for miss in judged if not miss.over]
    fits = tuple(sorted(within, key=order(prefer, within)))
    misses = [miss for miss in judged if miss.over]
    if not fits:
        return Choice(budget, (), (), tuple(misses[:nearest]), prefer)
    better = [miss for miss in misses if is_better(prefer, miss.point, fits[0])]
    return Choice(budget, fits, _binding(better), (), prefer, better[0] if better else None)


def _miss(point: Point, budget: Budget) -> Miss:
    over: dict[str, float] = {}
    total = 0.0
    for name, amount in budget.bounds.items():
        has, limit = figure(point, name), amount.value
        beyond = limit - has if name == "min_accuracy" else has - limit
        if beyond <= _ROUNDING * limit:
            continue
        relative = beyond / limit if limit and not math.isnan(beyond) else math.inf
        over[name] = beyond if name == "min_accuracy" else relative
        total += relative
    return Miss(point, over, total)


def _binding(better: Sequence[Miss]) -> tuple[str, ...]:
    alone = {name: None for miss in better if len(miss.over) == 1 for name in miss.over}
    return tuple(alone) or tuple(better[0].over if better else ())


def _label(point: Point) -> str:
    variant = "" if point.variant == "float" else f" ({point.variant})"
    return f"trial {point.trial} at {100 * point.sparsity:.3g} %{variant}"


def _why(lost: Point, won: Point) -> str:
    mine, its = lost.measured, won.measured
    sizes = {
        "params": mine.params - its.params,
        "MACs": mine.macs - its.macs,
        "bytes": mine.size_bytes - its.size_bytes,
    }
    name, more = next(((name, by) for name, by in sizes.items() if by), ("params", 0))
    size = f"{abs(more):,} {name} {'more' if more > 0 else 'fewer'}" if more else "the same size and MACs"
    digits = 3
    while (
        digits < 6
        and mine.accuracy_validation != its.accuracy_validation
        and (round(mine.accuracy_validation, digits) == round(its.accuracy_validation, digits))
    ):
        digits += 1
    ours, theirs = (f"{m.accuracy_validation:.{digits}f}".removeprefix("0") for m in (mine, its))
    against = f"{ours} as well" if ours == theirs else f"{ours} against {theirs}"
    return f"{_label(lost)}: {against} on validation, with {size}"


def _wider(name: str, by: float) -> str:
    if name == "min_accuracy":
        return f"{option(name)} {100 * by:.2g} points lower"
    return f"{option(name)} {_percent(by)} higher"


def _gain(better: Point, than: Point, prefer: str) -> str:
    new, old = better.measured, than.measured
    if prefer == ACCURACY:
        return f"{100 * (new.accuracy_validation - old.accuracy_validation):.2g} points more on validation"
    if prefer == LATENCY:
        return f"{old.latency_ms - new.latency_ms:.2g} ms less"
    return f"{old.params - new.params:,} params fewer"


def _percent(share: float) -> str:
    return f"{100 * share:,.0f} %" if share >= 1 else f"{100 * share:.3g} %"
