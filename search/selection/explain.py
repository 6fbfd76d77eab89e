"""Why the second best of a choice is not the best, in a sentence that begins with what was preferred."""

from __future__ import annotations

from collections.abc import Sequence

from compress.figures import TIES
from compress.measurement import Measurement
from search.selection.preference import KNEE, LATENCY, PARAMS, above_line
from search.selection.rated import RatedModel

LINE = "above the line from the smallest to the most accurate"


def why(fits: Sequence[RatedModel], prefer: str, split: str) -> str:
    """Of what fits, the best first; `split` is where accuracies are from, such as `on validation`."""
    won, lost = fits[:2]
    mine, its = lost.weighed.measured, won.weighed.measured
    said = [*_preferred(fits, prefer), *_accuracies(lost, won, split)]
    if prefer != PARAMS or mine.params == its.params:
        said.append(f"with {_size(mine, its)}")
    return f"{lost.label}: {', '.join(said)}"


def _preferred(fits: Sequence[RatedModel], prefer: str) -> list[str]:
    """The figure that was preferred, of both; none if that is accuracy, which is said in any case."""
    won, lost = (rated.weighed for rated in fits[:2])
    if prefer == LATENCY:
        told = _against(lost.measured.latency_ms, won.measured.latency_ms, 2)
        return [f"{told} ms" if told else "as fast"]
    if prefer == PARAMS:
        mine, its = lost.measured.params, won.measured.params
        return [f"{mine:,} against {its:,} params" if mine != its else "as many params"]
    if prefer == KNEE:
        above = above_line([rated.weighed for rated in fits])
        told = _against(100 * above(lost), 100 * above(won), 2)
        return [f"{told} points {LINE}" if told else f"as far {LINE}"]
    return []


def _accuracies(lost: RatedModel, won: RatedModel, split: str) -> list[str]:
    """Those that are compared; where lower ends are both 0 the means too, which decide then."""
    mine, its = (rated.weighed.measured.accuracy_validation for rated in (lost, won))
    told = _against(mine, its, 3)
    if told:
        return [f"{_short(told)} {split}"]
    means = _against(lost.family.validation, won.family.validation, 3) if mine == its == 0 else ""
    return [f"{_short(f'{mine:.3f}')} as well {split}", *([f"{_short(means)} on the mean"] if means else [])]


def _size(mine: Measurement, its: Measurement) -> str:
    for cost in TIES:
        more = cost.value(mine) - cost.value(its)
        if more:
            return f"{cost.style.text(abs(more))} {cost.style.unit} {'more' if more > 0 else 'fewer'}"
    return "the same size and MACs"


def _against(lost: float, won: float, digits: int) -> str:
    """Both to that many decimals, or as many of six as tell them apart; "" where none do."""
    for decimals in range(digits, 7):
        ours, theirs = (f"{round(one, decimals) + 0:.{decimals}f}" for one in (lost, won))  # no -0.00
        if ours != theirs:
            return f"{ours} against {theirs}"
    return ""


def _short(accuracies: str) -> str:
    """Without the zeros before the point."""
    return " ".join(word.removeprefix("0") for word in accuracies.split(" "))
