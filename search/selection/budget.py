"""A budget: bounds on costs and on quality, absolute or as shares of the study's unpruned teacher such as `10%`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from compress.quality import ACCURACY, Quality
from search.option_fields import BOUND, setting
from search.selection.amount import Amount, parse_amount
from search.study.record import Point

__all__ = ["Amount", "Bound", "Budget", "SearchBudget", "figure", "option", "parse_amount", "title"]

QUALITY_BOUNDS = ("min_accuracy", "quality")
"""Fields that bound the quality; all others bound a cost."""
Bound = Amount | str | None
"""An amount, also as written (`20k`, `10%`); None is no bound."""


def _bound(help: str) -> Any:
    return setting(None, help, metavar="AMOUNT", group=BOUND)


def _most(figure: str) -> Any:
    return _bound(f"At most so many {figure}: 20k, 2M, 1.5G, or 10% of the unpruned teacher's.")


@dataclass(frozen=True, kw_only=True)
class SearchBudget:
    """The inclusive bounds of a search: upper bounds on costs, and a bound on the quality on validation.

    A field is `max_` or `min_` and the figure's name in `Measurement`, units included. An upper bound is above 0,
    `quality` is in the quality's own unit and direction: an error is at most so large. `min_accuracy` in [0, 1] is the
    same for accuracy. Any bound may be a share of the teacher's figure. ValueError for other values. The fields
    keep an amount as written; `bounds` has the amounts as numbers.
    """

    max_params: Bound = _most("params")
    max_nonzero_params: Bound = _most("params that are not 0")
    max_macs: Bound = _most("MACs an image")
    max_flops: Bound = _most("FLOPs an image")
    max_size_bytes: Bound = _most("bytes")
    max_latency_ms: Bound = _bound("At most so many milliseconds an image: 1.5, or 50% of the unpruned teacher's.")
    min_accuracy: Bound = _bound("At least this accuracy on validation: in [0, 1], or 97% of the teacher's.")
    quality: Bound = _bound("At least, of an error at most, this quality on validation, or a share of the teacher's.")

    def __post_init__(self) -> None:
        if self.min_accuracy is not None and self.quality is not None:
            raise ValueError("quality and min-accuracy are one bound: give one of them")
        for name, amount in self.bounds.items():
            if name not in QUALITY_BOUNDS and not amount.value > 0:
                raise ValueError(f"{option(name)} must be above 0, got {amount}")
        if "min_accuracy" in self.bounds:
            _check_accuracy("min-accuracy", self.bounds["min_accuracy"])

    @property
    def bounds(self) -> dict[str, Amount]:
        """The given bounds by field, that on quality last; ValueError for an amount that cannot be read."""
        return {name: _amount(name, bound) for name, bound in self.written.items()}

    @property
    def written(self) -> dict[str, Amount | str]:
        """The given bounds by field, as written."""
        given = {name: getattr(self, name, None) for name in BOUNDS}
        return {name: bound for name, bound in given.items() if bound is not None}


@dataclass(frozen=True, kw_only=True)
class Budget(SearchBudget):
    """The inclusive bounds of a choice among finished models."""

    @classmethod
    def parse(cls, **texts: str | None) -> Budget:
        """A budget of written amounts by field, read at once: `Budget.parse(max_params="20k", min_accuracy="97%")`.

        ValueError for an unknown field or an amount that cannot be read.
        """
        for name in texts:
            if name not in BOUNDS:
                raise ValueError(f"budget: unknown bound {name!r}, known are {', '.join(BOUNDS)}")
        return cls(**cls(**texts).bounds)

    def __str__(self) -> str:
        return ", ".join(f"{option(name)} {amount}" for name, amount in self.bounds.items()) or "none"

    def named(self, quality: Quality) -> Budget:
        """The same budget for a study's quality; ValueError for `min_accuracy` where the quality is another."""
        if quality == ACCURACY and self.quality is not None:
            _check_accuracy("quality: accuracy", self.bounds["quality"])
            return replace(self, min_accuracy=self.quality, quality=None)
        if quality != ACCURACY and self.min_accuracy is not None:
            raise ValueError(f"min-accuracy: the quality here is {quality.name}, so say --quality {self.min_accuracy}")
        bound = self.bounds.get("quality")
        if bound is not None and not bound.is_share and _is_beyond_best(bound.value, quality):
            share = f"{bound.value / 100:g}, or {bound}% of the unpruned teacher's"
            hint = f" (did you mean {share}?)" if quality.is_share and bound.value <= 100 else ""
            raise ValueError(f"quality: {quality.name} is at most {quality.one:g}, got {bound}{hint}")
        return self

    def resolve(self, teacher: Point | None) -> Budget:
        """The same budget in absolute numbers; ValueError for a share while no teacher is measured."""
        resolved = self.bounds
        for name, amount in self.bounds.items():
            if not amount.is_share:
                continue
            if teacher is None:
                remedy = "name an amount, or let --resume measure it"
                raise ValueError(f"{option(name)}: {amount} is of the teacher, which is not measured yet: {remedy}")
            whole, quality = figure(teacher, name), teacher.quality
            if name in QUALITY_BOUNDS and _is_beyond_best(amount.value * whole, quality):
                most = f"{quality.one:g}"
                raise ValueError(f"{title(name, quality)}: {amount} of the teacher's {whole:.4g} is over {most}")
            if whole < 0:
                raise ValueError(f"{title(name, quality)}: {amount} is of the teacher's {whole:.4g}, so give a number")
            resolved[name] = Amount(amount.value * whole)
        return Budget(**resolved)


BOUNDS = tuple(sorted((each.name for each in fields(Budget)), key=lambda name: name in QUALITY_BOUNDS))
"""Fields of a budget, bounds on costs first."""


def _check_accuracy(who: str, least: Amount) -> None:
    if not least.is_share and not 0 <= least.value <= 1:
        share = f"{least.value / 100:g}, or {least}% of the unpruned teacher's"
        hint = f" (did you mean {share}?)" if 1 < least.value <= 100 else ""
        raise ValueError(
            f"{who}: expected a number in [0, 1], or a share of the teacher's such as 97%, got {least}{hint}"
        )


def _is_beyond_best(value: float, quality: Quality) -> bool:
    return quality.higher_is_better and value > quality.one


def _amount(name: str, bound: Amount | str) -> Amount:
    of_quality = name in QUALITY_BOUNDS
    return parse_amount(bound, option(name), of_quality=of_quality) if isinstance(bound, str) else bound


def option(name: str) -> str:
    """A field's name as typed after the dashes."""
    return name.replace("_", "-")


def title(name: str, quality: Quality) -> str:
    """A bound in a sentence: a bound on the quality by the quality's own name, any other as typed."""
    return quality.name if name in QUALITY_BOUNDS else option(name)


def figure(point: Point, bound: str) -> float:
    """The figure of a point that `bound`, a field of `Budget`, limits."""
    if bound in QUALITY_BOUNDS:
        return point.quality.value(point.measured.score_validation)
    return float(getattr(point.measured, bound.removeprefix("max_")))


def is_least(bound: str, quality: Quality) -> bool:
    """Whether `bound` is a lower bound, as on any quality of which higher is better."""
    return bound in QUALITY_BOUNDS and quality.higher_is_better
