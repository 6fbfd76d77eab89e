"""Choose the first recipes of a search, far apart in cost per second of work: there are no points to learn from yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.sampling.candidates import Candidate
from search.sampling.outlook import Floats


def far_apart(
    costs: Mapping[Candidate, Floats], share: Mapping[Candidate, float], there: Sequence[Floats], count: int
) -> list[Candidate]:
    """Return at most `count` candidates, each with a point far in cost from those `there` and from earlier choices.

    `costs` are scaled, a row for each point of a candidate; `there` has a row for each point. `share` weighs the
    distances.
    """
    known = np.array(there) if there else np.ones((1, 1))
    near = {one: _distances(its, known) for one, its in costs.items()}
    chosen: list[Candidate] = []
    while near and len(chosen) < count:
        best = max(near, key=lambda one: float(near[one].max()) * share[one])
        del near[best]
        near = {
            one: np.minimum(before if there or chosen else np.inf, _distances(costs[one], costs[best]))
            for one, before in near.items()
        }
        chosen.append(best)
    return chosen


def _distances(points: Floats, others: Floats) -> Floats:
    """Return each point's Chebyshev distance from the nearest of the others."""
    distances: Floats = np.abs(points[:, None] - others).max(2).min(1)
    return distances
