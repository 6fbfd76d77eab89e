"""Explain why the second best model of a selection lost, in a sentence that begins with the preferred figure."""

from __future__ import annotations

from collections.abc import Sequence

from compress.figures import TIES
from compress.measurement import Measurement
from compress.quality import ACCURACY
from search.selection.preference import KNEE, LATENCY, PARAMS, above_line
from search.selection.rated import RatedModel

LINE = "above the line from the smallest to the most accurate"


def why(fits: Sequence[RatedModel], prefer: str, split: str) -> str:
    """Explain why the second of `fits`, the best first, lost; `split` is the origin of accuracies: `on validation`."""
    won, lost = fits[:2]
    mine, its = lost.weighed.measured, won.weighed.measured
    said = [*_preferred(fits, prefer), *_accuracies(lost, won, split)]
    if prefer != PARAMS or mine.params == its.params:
        said.append(f"with {_size(mine, its)}")
    return f"{lost.label}: {', '.join(said)}"


def _preferred(fits: Sequence[RatedModel], prefer: str) -> list[str]:
    """Return the preferred figure of both; nothing if accuracy is preferred, which the sentence always has."""
    won, lost = (rated.weighed for rated in fits[:2])
    if prefer == LATENCY:
        told = _against(lost.measured.latency_ms, won.measured.latency_ms, 2)
        return [f"{told} ms" if told else "as fast"]
    if prefer == PARAMS:
        mine, its = lost.measured.params, won.measured.params
        return [f"{mine:,} against {its:,} params" if mine != its else "as many params"]
    if prefer == KNEE:
        above, quality = above_line([rated.weighed for rated in fits]), won.quality
        if quality == ACCURACY:
            times, unit, line = 100.0, "points", LINE
        else:
            times, unit, line = quality.amount(1), quality.unit or quality.name, LINE.replace("most accurate", "best")
        told = _against(times * above(lost), times * above(won), 2)
        return [f"{told} {unit} {line}" if told else f"as far {line}"]
    return []


def _accuracies(lost: RatedModel, won: RatedModel, split: str) -> list[str]:
    """Return the compared accuracies; where both lower ends are 0 also the means, which then decide."""
    mine, its = (rated.weighed.measured.score_validation for rated in (lost, won))
    quality = won.point.quality
    if not quality.is_share:
        texts = [quality.text(quality.value(one)) for one in (mine, its)]
        return [f"{f'{texts[0]} against {texts[1]}' if texts[0] != texts[1] else f'{texts[0]} as well'} {split}"]
    told = _against(mine, its, 4)
    if told:
        return [f"{told} {split}"]
    means = _against(lost.family.validation, won.family.validation, 4) if mine == its == 0 else ""
    return [f"{mine:.4f} as well {split}", *([f"{means} on the mean"] if means else [])]


def _size(mine: Measurement, its: Measurement) -> str:
    for cost in TIES:
        more = cost.value(mine) - cost.value(its)
        if more:
            return f"{cost.style.text(abs(more))} {cost.style.unit} {'more' if more > 0 else 'fewer'}"
    return "the same size and MACs"


def _against(lost: float, won: float, digits: int) -> str:
    """Write both with `digits` decimals, or up to six until both differ; "" if six decimals are equal."""
    for decimals in range(digits, 7):
        ours, theirs = (f"{round(one, decimals) + 0:.{decimals}f}" for one in (lost, won))  # avoid -0.00
        if ours != theirs:
            return f"{ours} against {theirs}"
    return ""
