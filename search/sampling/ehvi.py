"""Expected hypervolume improvement of points with known costs and uncertain error.

The space of costs is a grid of cells. The level of a cell is the least error so far among points that cost no more than
the cell. A new point improves every cell that costs no less than the point, by the difference of the cell's level and
the point's error. For a normally distributed error the expected difference is expected improvement, in closed form. The
sum over the cells is exact expected hypervolume improvement (Yang et al. 2019,
https://doi.org/10.1007/s10898-019-00798-7), except that earlier points' costs are rounded to the grid.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
CELLS = {1: 256, 2: 32, 3: 12, 4: 6, 5: 4}
"""Cells along an axis, by the number of costs; 3 for more costs."""


class HypervolumeImprovement:
    """Expected improvement over earlier points with `errors` `(n,)` and `costs` `(n, d)`, scaled to [0, 1].

    The box ends at the error `worst` and at 1 in every cost.
    """

    def __init__(self, errors: Floats, costs: Floats, worst: float = 1.0) -> None:
        self.side = CELLS.get(costs.shape[1], 3)
        corners = np.array(list(itertools.product(range(self.side), repeat=costs.shape[1])), dtype=float)
        self.corners = corners / self.side
        self.best = np.full((self.side,) * costs.shape[1], worst)
        self.add(errors, costs)

    def add(self, errors: Floats, costs: Floats) -> None:
        """Take further points, with `errors` `(n,)` and `costs` `(n, d)`, as earlier ones from now on."""
        middles = np.arange(self.side) / self.side + 0.5 / self.side
        first = np.searchsorted(middles, costs)  # along each axis, the first cell whose middle costs no less
        inside = (first < self.side).all(1)
        np.minimum.at(self.best, tuple(first[inside].T), errors[inside])
        for axis in range(self.best.ndim):
            self.best = np.minimum.accumulate(self.best, axis)
        self.levels, self.cells = np.unique(self.best.ravel(), return_inverse=True)

    def of_each(self, mean: Floats, deviation: Floats, costs: Floats) -> Floats:
        """Return the expected improvement of each point in each cell, `(n, cells)`.

        A point's improvement in all cells is the sum of its row.
        """
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
        """Return the expected improvement of each curve, `(len(starts),)`.

        The points of all curves stand in a row, and a curve begins at each of `starts`. In every cell a curve's best
        point counts.
        """
        whole: Floats = np.maximum.reduceat(self.of_each(mean, deviation, costs), starts, axis=0).sum(1)
        return whole
