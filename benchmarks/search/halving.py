"""The other way to stop early, for comparison: successive halving on several objectives, asynchronous.

At every level of a curve a trial is compared with those that have come to the same level at about its cost, by
non-dominated rank and, within a rank, by how much it adds to an epsilon-net; it goes on while it is among the best half
of them. MO-ASHA (Schmucker et al. 2021, https://arxiv.org/abs/2106.12639), with levels for epochs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import moocore
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass
class Halving:
    """`near` is how far apart costs may lie, on the scale of the hypervolume; one in `kept` goes on."""

    near: float = 0.06
    kept: int = 2
    _there: dict[int, list[Floats]] = field(default_factory=dict)

    def goes_on(self, level: int, error: float, costs: Floats) -> bool:
        """Whether a trial does that has come to this level with this error, at these scaled costs."""
        rows = self._there.setdefault(level, [])
        rows.append(np.array([error, *costs]))
        known = np.array(rows)
        close = known[(np.abs(known[:, 1:] - costs).max(1) <= self.near)]
        if level == 0 or len(close) < self.kept:
            return True
        return ranked(close).index(len(close) - 1) < math.ceil(len(close) / self.kept)


def ranked(rows: Floats) -> list[int]:
    """Places of the rows, the best first: front by front, in each the least error, then what is farthest from those."""
    left, found = list(range(len(rows))), []
    while left:
        keep = moocore.is_nondominated(rows[left], keep_weakly=True)
        front = [place for place, kept in zip(left, keep, strict=True) if kept]
        left = [place for place in left if place not in front]
        chosen = [min(front, key=lambda place: float(rows[place][0]))]
        while len(chosen) < len(front):
            apart = np.linalg.norm(rows[front][:, None] - rows[chosen], axis=2).min(1)
            apart[[front.index(place) for place in chosen]] = -1.0
            chosen.append(front[int(apart.argmax())])
        found += chosen
    return found
