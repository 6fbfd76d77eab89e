"""Select the model to ship under a budget, with the reason, the binding bounds and the gain of a larger budget.

Bounds and accuracy are read off the validation split: the test accuracy of a point plays no part in the selection and
is only reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from compress.quality import ACCURACY as OF_OLD
from compress.quality import Quality
from search.selection.amount import Amount, plain
from search.selection.budget import Budget, option
from search.selection.explain import why
from search.selection.preference import ACCURACY, KNEE, LATENCY, is_better, order
from search.selection.rated import RatedModel, rated_models, typed
from search.selection.widening import needs
from search.study.record import JsonDict, Point
from search.study.seeds import Difference, Family, difference, families


@dataclass(frozen=True)
class Selection:
    """The outcome of a selection under a budget.

    `fits` are the models within all bounds, the best first by `prefer` (`search/selection/preference.py`). `binding`
    are the bounds that keep out a better model: every bound that alone keeps a better model out or, without any, the
    bounds violated by the nearest better model. `more` is the better model least beyond the budget, or None: the model
    selected when the amounts in `needs` are typed. `misses` are the nearest models where nothing fits, else empty. With
    `robust` accuracies are the lower ends of the confidence intervals over seeds, and `left_out` counts the models
    within the budget with a single seed, whose spread is unknown.

    With `prefer` "knee" nothing outside the budget is better, for every budget has its own knee. A bound is then
    binding if its removal alone changes the selection to a model outside the bound. Without any such bound, the binding
    bounds are the bounds violated by the selection without any bound. `more` is None.

    `latencies` says where and how the points' latencies were measured, if not in their trials.
    """

    budget: Budget
    fits: tuple[RatedModel, ...]
    binding: tuple[str, ...]
    misses: tuple[RatedModel, ...]
    prefer: str = ACCURACY
    more: RatedModel | None = None
    robust: bool = False
    left_out: int = 0
    latencies: str = ""

    @property
    def best(self) -> Point | None:
        """Return the point to ship, or None where nothing fits."""
        return self.fits[0].point if self.fits else None

    @property
    def runner_up(self) -> Point | None:
        """Return the second best point, or None."""
        return self.fits[1].point if len(self.fits) > 1 else None

    @property
    def why(self) -> str:
        """Explain in a sentence why the runner-up lost; "" without a runner-up."""
        return why(self.fits, self.prefer, self._split) if len(self.fits) > 1 else ""

    @property
    def alike(self) -> str:
        """Say in a sentence that seeds do not separate best and runner-up; "" if the seeds do, or are too few."""
        if self.prefer != ACCURACY or len(self.fits) < 2:
            return ""
        best, second = self.fits[:2]
        apart = difference(best.family, second.family)
        if apart is None or apart.is_told:
            return ""
        return (
            f"{best.label} and {second.label} cannot be told apart: over {apart.count} seeds they differ by "
            f"{_differing(apart, best.point.quality)} on validation"
        )

    @property
    def more_buys(self) -> str:
        """Say in a sentence what the least sufficient widening of the budget buys; "" where no model is better."""
        if self.more is None:
            return ""
        wider = typed(self.more.needs, " and ")
        return f"{wider} buys {self.more.label}, {_gain(self.more, self.fits[0], self.prefer, self._split)}"

    @property
    def _preferred(self) -> str:
        """Return the preference, of the quality by its own name."""
        return self.best.quality.name if self.prefer == ACCURACY and self.best is not None else self.prefer

    @property
    def _split(self) -> str:
        """Return the origin of the compared qualities: with `robust` the worse end of the interval over seeds."""
        lower = not self.fits or self.fits[0].point.quality.higher_is_better
        return f"at the {'lower' if lower else 'upper'} end" if self.robust else "on validation"

    def as_json(self) -> JsonDict:
        """Return the form printed by `paretune select --json`."""
        return {
            "prefer": self._preferred,
            "robust": self.robust,
            "bounds": {name: amount.value for name, amount in self.budget.bounds.items()},
            "best": self.fits[0].as_json() if self.fits else None,
            "runner_up": self.fits[1].as_json() if len(self.fits) > 1 else None,
            "why": self.why,
            "alike": self.alike,
            "fits": len(self.fits),
            "left_out": self.left_out,
            "latencies": self.latencies,
            "binding": list(self.binding),
            "more": self.more.miss_as_json() if self.more else None,
            "misses": [miss.miss_as_json() for miss in self.misses],
        }


def choose(
    points: Sequence[Point], budget: Budget, *, prefer: str = ACCURACY, robust: bool = False, nearest: int = 3
) -> Selection:
    """Select the models within the budget, or the `nearest` misses.

    ValueError for a share not yet resolved, and for `robust` where all models within the budget have a single seed.
    """
    for name, amount in budget.bounds.items():
        if amount.is_share:
            raise ValueError(f"{option(name)}: {amount} is a share, resolve the budget with the teacher first")
    found = families(points)
    judged, left_out = rated_models(found, budget), 0
    if robust:
        left_out = sum(not rated.over and rated.family.spread is None for rated in judged)
        told = rated_models(found, budget, robust=True)
        if left_out and all(rated.over for rated in told):
            raise ValueError(
                "robust: needs models made with several seeds, and none within the budget is; add --reseed 3"
            )
        judged = told or judged
    fits = _ranked([rated for rated in judged if not rated.over], prefer)
    misses = sorted(_ranked([rated for rated in judged if rated.over], prefer), key=lambda rated: rated.total)
    if not fits:
        nearest_misses = tuple(_told(miss, found, judged, budget, robust) for miss in misses[:nearest])
        return Selection(budget, (), (), nearest_misses, prefer, None, robust, left_out)
    if prefer == KNEE:
        binding = _binding_a_knee(found, misses, budget, robust)
        return Selection(budget, tuple(fits), binding, (), prefer, None, robust, left_out)
    better = [miss for miss in misses if is_better(prefer, miss.weighed, fits[0].weighed)]
    bought = (_bought(miss, found, judged, budget, prefer, robust) for miss in better[:nearest])
    more = next((rated for rated in bought if rated and is_better(prefer, rated.weighed, fits[0].weighed)), None)
    return Selection(budget, tuple(fits), _binding(better), (), prefer, more, robust, left_out)


def _ranked(some: Sequence[RatedModel], prefer: str) -> list[RatedModel]:
    """Sort the best first; where both lower ends are 0 the mean decides, before any cost."""
    key = order(prefer, [rated.weighed for rated in some])

    def rank(rated: RatedModel) -> tuple[float, ...]:
        first, accuracy, *costs = key(rated.weighed)
        return (first, accuracy, -rated.family.validation, *costs)

    return sorted(some, key=rank)


def _picked(found: Sequence[Family], budget: Budget, prefer: str, robust: bool) -> RatedModel | None:
    fits = _ranked([rated for rated in rated_models(found, budget, robust=robust) if not rated.over], prefer)
    return fits[0] if fits else None


def _binding(better: Sequence[RatedModel]) -> tuple[str, ...]:
    alone = {name: None for miss in better if len(miss.over) == 1 for name in miss.over}
    return tuple(alone) or tuple(better[0].over if better else ())


def _binding_a_knee(
    found: Sequence[Family], misses: Sequence[RatedModel], budget: Budget, robust: bool
) -> tuple[str, ...]:
    outside = {miss.family.points[0].id: miss for miss in misses}

    def kept_out(without: Budget) -> RatedModel | None:
        pick = _picked(found, without, KNEE, robust)
        return outside.get(pick.family.points[0].id) if pick else None

    alone = tuple(name for name in budget.bounds if kept_out(replace(budget, **{name: None})))
    pick = None if alone else kept_out(Budget())
    return tuple(pick.over) if pick else alone


def _told(
    miss: RatedModel, found: Sequence[Family], judged: Sequence[RatedModel], budget: Budget, robust: bool
) -> RatedModel:
    """Return a miss with the amounts to type, for the seed shipped under the widened budget.

    A miss by a figure that was not measured stays without amounts.
    """
    if not math.isfinite(miss.total):
        return miss
    same = (one for one in rated_models(found, _wider(budget, miss), robust=robust) if one.family is miss.family)
    return replace(next(same, miss), over=miss.over, total=miss.total, needs=needs(miss, judged))


def _bought(
    miss: RatedModel, found: Sequence[Family], judged: Sequence[RatedModel], budget: Budget, prefer: str, robust: bool
) -> RatedModel | None:
    """Return the model selected once the budget is widened just enough to admit `miss`.

    The model is another than `miss` only where the larger budget changes which seed of a model ships. Overshoots and
    needs are those of `miss`.
    """
    if not math.isfinite(miss.total):
        return None
    pick = _picked(found, _wider(budget, miss), prefer, robust)
    return pick and replace(pick, over=miss.over, total=miss.total, needs=needs(miss, judged))


def _wider(budget: Budget, miss: RatedModel) -> Budget:
    """Widen the budget just enough to admit a miss."""
    return replace(budget, **{name: Amount(miss.has(name)) for name in miss.over})


def _differing(apart: Difference, quality: Quality) -> str:
    if quality != OF_OLD:
        return (
            f"{quality.amount(abs(apart.mean)):.3g} ± {quality.amount(apart.margin):.3g} {quality.unit or quality.name}"
        )
    return f"{100 * abs(apart.mean):.2f} ± {100 * apart.margin:.2f} points"


def _gain(better: RatedModel, than: RatedModel, prefer: str, split: str) -> str:
    new, old = better.weighed.measured, than.weighed.measured
    if prefer == ACCURACY:
        gain, quality = new.score_validation - old.score_validation, better.point.quality
        if quality != OF_OLD:
            return f"{plain(quality.amount(gain), 3)} {quality.unit or quality.name} better {split}"
        return f"{plain(100 * gain, 3)} points more {split}"
    if prefer == LATENCY:
        return f"{plain(old.latency_ms - new.latency_ms, 3)} ms less"
    return f"{old.params - new.params:,} params fewer"
