"""The model to ship under a budget: the best of those that fit, why it is, what binds, what a larger budget would buy.

Bounds and accuracy are read off the validation split: the test accuracy of a point plays no part in its
choice, and is only reported with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.budget import Budget, option
from search.offers import Offer, offers, percent
from search.preference import ACCURACY, LATENCY, is_better, order
from search.record import JsonDict, Point
from search.seeds import difference, families


@dataclass(frozen=True)
class Choice:
    """What a budget lets one choose.

    `fits` are the models within all bounds, the best first, as `prefer` has it (`search/preference.py`). `binding` are
    the bounds that keep a better one out: those that do alone or, where none does, those that the nearest better
    one violates. `more` is the better one that is the least beyond the budget, None if there is none. `misses` are
    the nearest where nothing fits, else empty. With `robust` accuracies are the lower ends of the confidence over
    seeds, and `left_out` counts the models within the budget that have one seed only, of which nothing is known.
    """

    budget: Budget
    fits: tuple[Offer, ...]
    binding: tuple[str, ...]
    misses: tuple[Offer, ...]
    prefer: str = ACCURACY
    more: Offer | None = None
    robust: bool = False
    left_out: int = 0

    @property
    def best(self) -> Point | None:
        """The point to ship, or None where nothing fits."""
        return self.fits[0].point if self.fits else None

    @property
    def runner_up(self) -> Point | None:
        """The second best point, or None."""
        return self.fits[1].point if len(self.fits) > 1 else None

    @property
    def why(self) -> str:
        """Why the runner-up lost, in a sentence; "" without one."""
        return _why(self.fits[1], self.fits[0], self._split) if len(self.fits) > 1 else ""

    @property
    def alike(self) -> str:
        """That seeds do not tell the most accurate from its runner-up, in a sentence; "" if they do or are too few."""
        if self.prefer != ACCURACY or len(self.fits) < 2:
            return ""
        best, second = self.fits[:2]
        apart = difference(best.family, second.family)
        if apart is None or apart.is_told:
            return ""
        return (
            f"{best.label} and {second.label} cannot be told apart: over {apart.count} seeds they differ by "
            f"{100 * abs(apart.mean):.2f} ± {100 * apart.margin:.2f} points on validation"
        )

    @property
    def more_buys(self) -> str:
        """What the least of a larger budget would buy, in a sentence; "" where there is nothing better."""
        if self.more is None:
            return ""
        wider = " and ".join(_wider(name, by) for name, by in self.more.over.items())
        return f"{wider} buys {self.more.label}, {_gain(self.more, self.fits[0], self.prefer, self._split)}"

    @property
    def _split(self) -> str:
        return "at the lower end" if self.robust else "on validation"

    def as_json(self) -> JsonDict:
        """The form `paretune select --json` prints."""
        return {
            "prefer": self.prefer,
            "robust": self.robust,
            "bounds": {name: amount.value for name, amount in self.budget.bounds.items()},
            "best": self.fits[0].as_json() if self.fits else None,
            "runner_up": self.fits[1].as_json() if len(self.fits) > 1 else None,
            "why": self.why,
            "alike": self.alike,
            "fits": len(self.fits),
            "left_out": self.left_out,
            "binding": list(self.binding),
            "more": self.more.miss_as_json() if self.more else None,
            "misses": [miss.miss_as_json() for miss in self.misses],
        }


def choose(
    points: Sequence[Point], budget: Budget, *, prefer: str = ACCURACY, robust: bool = False, nearest: int = 3
) -> Choice:
    """The models within the budget, or the `nearest` misses.

    ValueError for a share not yet resolved, and for `robust` where all that fits has one seed only.
    """
    for name, amount in budget.bounds.items():
        if amount.is_share:
            raise ValueError(f"{option(name)}: {amount} is a share, resolve the budget with the teacher first")
    found = families(points)
    judged, left_out = offers(found, budget), 0
    if robust:
        left_out = sum(not offer.over and offer.family.spread is None for offer in judged)
        told = offers(found, budget, robust=True)
        if left_out and all(offer.over for offer in told):
            raise ValueError(
                "robust: needs models made with several seeds, and none within the budget is; add --reseed 3"
            )
        judged = told or judged
    fits = [offer for offer in judged if not offer.over]
    misses = [offer for offer in judged if offer.over]
    key = order(prefer, [offer.weighed for offer in fits])
    fits.sort(key=lambda offer: key(offer.weighed))
    if not fits:
        return Choice(budget, (), (), tuple(misses[:nearest]), prefer, None, robust, left_out)
    better = [miss for miss in misses if is_better(prefer, miss.weighed, fits[0].weighed)]
    nearest_better = better[0] if better else None
    return Choice(budget, tuple(fits), _binding(better), (), prefer, nearest_better, robust, left_out)


def _binding(better: Sequence[Offer]) -> tuple[str, ...]:
    alone = {name: None for miss in better if len(miss.over) == 1 for name in miss.over}
    return tuple(alone) or tuple(better[0].over if better else ())


def _why(lost: Offer, won: Offer, split: str) -> str:
    mine, its = lost.weighed.measured, won.weighed.measured
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
    return f"{lost.label}: {against} {split}, with {size}"


def _wider(name: str, by: float) -> str:
    if name == "min_accuracy":
        return f"{option(name)} {100 * by:.2g} points lower"
    return f"{option(name)} {percent(by)} higher"


def _gain(better: Offer, than: Offer, prefer: str, split: str) -> str:
    new, old = better.weighed.measured, than.weighed.measured
    if prefer == ACCURACY:
        return f"{100 * (new.accuracy_validation - old.accuracy_validation):.2g} points more {split}"
    if prefer == LATENCY:
        return f"{old.latency_ms - new.latency_ms:.2g} ms less"
    return f"{old.params - new.params:,} params fewer"
