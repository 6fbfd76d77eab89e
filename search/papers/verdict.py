"""Judge a paper's claim in a study: holds, does not hold, or cannot be told.

Every pair of a claim has a difference for each seed, its margin added. The claim holds if every pair's mean difference
is above 0, and the mean over all pairs is so beyond chance. The claim does not hold if the mean over all pairs is below
0 beyond chance, or any pair alone is. Chance is Student's t, one-sided, at `LEVEL`; of several pairs alone, at `LEVEL`
divided by their number (Bonferroni). The mean over pairs is tested over the pairs' own means where there are three or
more, else over seeds. In a partly run grid the mean over pairs says nothing: a pair alone may still refute the claim.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from scipy.special import stdtr

from search.papers.values import Values
from search.study.record import JsonDict
from spaces.papers.paper import Cell, Claim

LEVEL = 0.05
ENOUGH = 3
"""Pairs from which the mean over pairs is tested over the pairs' means."""
SAME = 1e-12
"""Differences closer than this are one."""
EXACT = ("params", "nonzero_params", "macs", "flops", "size_bytes")
"""Figures without chance: a model of another seed may have another size, but each size is certain."""
Answer = Literal["holds", "does not hold", "cannot be told"]


@dataclass(frozen=True)
class Verdict:
    """The answer to a claim, and why.

    `agree` of `known` pairs have a mean difference above 0, of `pairs` in all. `difference` is the mean over the known
    pairs, None without any; `p` is the chance of a mean at least as far from 0 on the same side, were there no effect.
    `p` is None for too few values to test.
    """

    claim: Claim
    answer: Answer
    agree: int
    known: int
    difference: float | None = None
    p: float | None = None

    @property
    def pairs(self) -> int:
        """Return the number of the claim's pairs."""
        return len(self.claim.pairs)

    def as_json(self) -> JsonDict:
        """Return text, answer and reasons."""
        return {
            "claim": self.claim.text,
            "answer": self.answer,
            "agree": self.agree,
            "known": self.known,
            "pairs": self.pairs,
            "difference": self.difference,
            "p": self.p,
        }


def judge(claim: Claim, values: Values) -> Verdict:
    """Return the verdict on a claim; pairs without models on both sides are left out, and said."""
    found = [each for pair in claim.pairs if (each := _differences(pair, claim.margin, values))]
    if not found:
        return Verdict(claim, "cannot be told", 0, 0)
    means = [fmean(each) for each in found]
    agree, mean = sum(one > 0 for one in means), fmean(means)
    exact = all(map(_is_exact, claim.pairs))
    p = chance(means if len(means) >= ENOUGH else _by_seed(found), exact=exact)
    contrary = (chance([-one for one in each], exact=exact) for each in found)
    is_whole = len(found) == len(claim.pairs)
    refuted = any(one is not None and one < LEVEL / len(claim.pairs) for one in contrary)
    answer: Answer = "cannot be told"
    if is_whole and p is not None and p < LEVEL and agree == len(found):
        answer = "holds"
    elif refuted or (is_whole and p is not None and p > 1 - LEVEL):
        answer = "does not hold"
    return Verdict(claim, answer, agree, len(found), mean, p)


def chance(each: Sequence[float], *, exact: bool = False) -> float | None:
    """Return the one-sided p of a mean above 0 by Student's t, in [0, 1]; None where it cannot be tested.

    Fewer than two values cannot be tested, nor values without a spread: two or three seeds can agree to the last image.
    Without a spread, `exact` values such as counts of parameters have p 0 above 0, 1 below, and .5 at 0.
    """
    if len(each) < 2:
        return float(each[0] < 0) if exact and each and each[0] else None
    mean, spread = fmean(each), stdev(each)
    if spread < SAME:
        return None if not exact else 0.5 if abs(mean) < SAME else float(mean < 0)
    return float(stdtr(len(each) - 1, -mean / (spread / math.sqrt(len(each)))))


def _is_exact(pair: tuple[Cell, Cell | float]) -> bool:
    """Return whether both sides are counts that follow from the recipe, such as parameters before any training."""
    return all(isinstance(side, int | float) or side.figure in EXACT for side in pair)


def _differences(pair: tuple[Cell, Cell | float], margin: float, values: Values) -> list[float]:
    first, second = pair
    more = values.of(first, scores=True)
    less = dict.fromkeys(more, second) if isinstance(second, int | float) else values.of(second, scores=True)
    return [value - less[seed] + margin for seed, value in more.items() if seed in less]


def _by_seed(found: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean over pairs of each seed; all differences of a single pair."""
    count = min(map(len, found))
    return [fmean(each[at] for each in found) for at in range(count)]
