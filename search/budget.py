"""A budget, and the point to ship under it: the most accurate of those that fit.

Bounds and accuracy are read off the validation split: the test accuracy of a point plays no part in its
choice, and is only reported with it. Shares such as `10%` are of the study's unpruned teacher.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from search.amount import Amount, parse_amount
from search.record import JsonDict, Point

__all__ = ["Amount", "Budget", "Choice", "Miss", "choose", "parse_amount"]

_ROUNDING = 1e-9  # 29 % of 100 is 28.999999999999996 in floats


@dataclass(frozen=True)
class Budget:
    """Inclusive upper bounds on costs and a lower one on validation accuracy; None is no bound.

    A field is `max_` or `min_` and the figure's name in `Measurement`, units included. `min_accuracy` is in
    [0, 1], or a share of the teacher's; a ValueError says so for anything else.
    """

    max_params: Amount | None = None
    max_nonzero_params: Amount | None = None
    max_macs: Amount | None = None
    max_flops: Amount | None = None
    max_size_bytes: Amount | None = None
    max_latency_ms: Amount | None = None
    min_accuracy: Amount | None = None

    def __post_init__(self) -> None:
        least = self.min_accuracy
        if least is not None and not least.is_share and least.value > 1:
            hint = f" (did you mean {least}%?)" if least.value <= 100 else ""
            raise ValueError(
                f"min-accuracy: expected a number in [0, 1], or a share of the teacher's such as 97%, got {least}{hint}"
            )

    @classmethod
    def parse(cls, **texts: str | None) -> Budget:
        """A budget of written amounts by field: `Budget.parse(max_params="20k", min_accuracy="97%")`.

        An unknown field or an amount that cannot be read is a ValueError.
        """
        known = [field.name for field in fields(cls)]
        for name in texts:
            if name not in known:
                raise ValueError(f"budget: unknown bound {name!r}, known are {', '.join(known)}")
        return cls(**{name: parse_amount(text, _option(name)) for name, text in texts.items() if text is not None})

    @property
    def bounds(self) -> dict[str, Amount]:
        """The bounds that are set, by field."""
        amounts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: amount for name, amount in amounts.items() if amount is not None}

    def __str__(self) -> str:
        return ", ".join(f"{_option(name)} {amount}" for name, amount in self.bounds.items()) or "none"

    def resolve(self, teacher: Point | None) -> Budget:
        """The same budget in absolute numbers; ValueError for a share while no teacher is measured."""
        resolved = {}
        for name, amount in self.bounds.items():
            if not amount.is_share:
                continue
            if teacher is None:
                raise ValueError(f"{_option(name)}: {amount} is of the teacher, and none is measured yet")
            whole = _figure(teacher, name)
            if name == "min_accuracy" and amount.value * whole > 1:
                raise ValueError(f"min-accuracy: {amount} of the teacher's {whole:.4g} is over 1")
            resolved[name] = Amount(amount.value * whole)
        return replace(self, **resolved)


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
        costs = [f"{_option(name)} by {_percent(by)}" for name, by in self.over.items() if name != "min_accuracy"]
        short = [f"min-accuracy by {100 * by:.2g} points" for name, by in self.over.items() if name == "min_accuracy"]
        return f"{_label(self.point)} misses {', '.join(costs + short)}"


@dataclass(frozen=True)
class Choice:
    """What a budget lets one choose.

    `fits` are the points within all bounds, the best first: highest validation accuracy, ties by fewer
    params, then MACs, then bytes. `binding` are the bounds that cost accuracy: those that alone keep a more
    accurate point out or, where none does alone, those that the nearest more accurate point violates.
    `misses` are the nearest points where nothing fits, else empty.
    """

    budget: Budget
    fits: tuple[Point, ...]
    binding: tuple[str, ...]
    misses: tuple[Miss, ...]

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

    def as_json(self) -> JsonDict:
        """The form `paretune select --json` prints."""
        return {
            "bounds": {name: amount.value for name, amount in self.budget.bounds.items()},
            "best": self.best.as_json() if self.best else None,
            "runner_up": self.runner_up.as_json() if self.runner_up else None,
            "why": self.why,
            "fits": len(self.fits),
            "binding": list(self.binding),
            "misses": [miss.as_json() for miss in self.misses],
        }


def choose(points: Sequence[Point], budget: Budget, *, nearest: int = 3) -> Choice:
    """The points within the budget, or the `nearest` misses; a share not yet resolved is a ValueError."""
    for name, amount in budget.bounds.items():
        if amount.is_share:
            raise ValueError(f"{_option(name)}: {amount} is a share, resolve the budget with the teacher first")
    judged = sorted((_miss(point, budget) for point in points), key=lambda miss: miss.total)
    fits = tuple(sorted((miss.point for miss in judged if not miss.over), key=_rank))
    misses = [miss for miss in judged if miss.over]
    if not fits:
        return Choice(budget, (), (), tuple(misses[:nearest]))
    best = fits[0].measured.accuracy_validation
    return Choice(budget, fits, _binding([m for m in misses if m.point.measured.accuracy_validation > best]), ())


def _option(name: str) -> str:
    return name.replace("_", "-")


def _figure(point: Point, bound: str) -> float:
    name = bound.removeprefix("max_")
    return float(getattr(point.measured, "accuracy_validation" if bound == "min_accuracy" else name))


def _miss(point: Point, budget: Budget) -> Miss:
    over: dict[str, float] = {}
    total = 0.0
    for name, amount in budget.bounds.items():
        figure, limit = _figure(point, name), amount.value
        beyond = limit - figure if name == "min_accuracy" else figure - limit
        if beyond <= _ROUNDING * limit:
            continue
        relative = beyond / limit if limit and not math.isnan(beyond) else math.inf
        over[name] = beyond if name == "min_accuracy" else relative
        total += relative
    return Miss(point, over, total)


def _rank(point: Point) -> tuple[float, int, int, int]:
    m = point.measured
    return (-m.accuracy_validation, m.params, m.macs, m.size_bytes)


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


def _percent(share: float) -> str:
    return f"{100 * share:,.0f} %" if share >= 1 else f"{100 * share:.3g} %"
