"""How much of the box a point is expected to add to what is dominated, when its costs are known and its error is not.

For every place in the space of costs there is a least error so far among the points that cost no more; a point adds
where its costs are within a place's, as much as its error falls below that. With a normal error the expectation is
that of expected improvement, in closed form, summed over the places. Exact expected hypervolume improvement (Yang et
al. 2019, https://doi.org/10.1007/s10898-019-00798-7) but for the grid, on which the costs so far are rounded.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
CELLS = {1: 256, 2: 32, 3: 12, 4: 6, 5: 4}
"""A side, by the number of costs; more costs get 3."""


class HypervolumeImprovement:
    """`errors` `(n,)` and `costs` `(n, d)` of what is there, all scaled to [0, 1], the box ends at `worst` and ones."""

    def __init__(self, errors: Floats, costs: Floats, worst: float = 1.0) -> None:
        self.side = CELLS.get(costs.shape[1], 3)
        corners = np.array(list(itertools.product(range(self.side), repeat=costs.shape[1])), dtype=float)
        self.corners = corners / self.side
        best = np.full(len(corners), worst)
        for error, cost in zip(errors, costs, strict=True):
            within = (self.corners + 0.5 / self.side >= cost).all(1)
            best[within] = np.minimum(best[within], error)
        self.levels, self.cells = np.unique(best, return_inverse=True)

    def of_each(self, mean: Floats, deviation: Floats, costs: Floats) -> Floats:
        """Of every place, what each point is expected to add there: `(n, places)`; the sum of a row is its whole."""
        z = (self.levels - mean[:, None]) / deviation[:, None]
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        gain = deviation[:, None] * (z * ndtr(z) + density)
        share = np.ones((len(mean), len(self.corners)))
        for axis in range(costs.shape[1]):
            reach = (self.corners[:, axis] + 1 / self.side - costs[:, axis, None]) * self.side
            share *= np.clip(reach, 0.0, 1.0)
        added: Floats = gain[:, self.cells] * share / len(self.corners)
        return added

    def of_curves(self, mean: Floats, deviation: Floats, costs: Floats, starts: NDArray[np.intp]) -> Floats:
        """Of points in a row, a curve beginning at each of `starts`: in every place its best point counts."""
        whole: Floats = np.maximum.reduceat(self.of_each(mean, deviation, costs), starts, axis=0).sum(1)
        return whole
