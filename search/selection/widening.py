"""Find the amount to type for a bound to admit a model: as short as possible without admitting a model beyond."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR

from search.selection.amount import plain
from search.selection.budget import figure, is_least
from search.selection.rated import RatedModel, is_within

_FEWEST, _SOUND, _EXACT = 3, 12, 17  # digits


def needs(rated: RatedModel, judged: Sequence[RatedModel]) -> dict[str, str]:
    """Return the amount for each violated bound; {} where a figure was not measured. `judged` are all models."""
    if not math.isfinite(rated.total):
        return {}
    quality = rated.point.quality
    return {
        name: shortest(name, rated.has(name), _figures(name, judged), least=is_least(name, quality))
        for name in rated.over
    }


def shortest(bound: str, has: float, others: Iterable[float], *, least: bool = False) -> str:
    """Round an upper bound up or a lower one down to as few digits, at least three, as keep other models out.

    Whole costs stay. `least` says that `bound` is a lower bound. `others` are the figures of all models; figures within
    a bound of exactly `has` are ignored.
    """
    if not least and float(has).is_integer():
        return f"{has:.0f}"
    beyond = [other for other in others if not is_within(other, has, least=least) and not math.isnan(other)]
    nearest = (max if least else min)(beyond, default=math.nan)
    rounding = ROUND_FLOOR if least else ROUND_CEILING
    near = float(f"{has:.{_SOUND}g}")  # .6000000000000005 is to be typed as .6
    texts = (plain(near, digits, rounding) for digits in range(_FEWEST, _EXACT))
    return next((text for text in texts if not is_within(nearest, float(text), least=least)), plain(has, _EXACT))


def _figures(bound: str, judged: Sequence[RatedModel]) -> Iterable[float]:
    for rated in judged:
        yield figure(rated.weighed, bound)
        yield from (figure(point, bound) for point in rated.family.points)
