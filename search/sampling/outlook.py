"""Inputs and outputs of the acquisition function: predicted recipes, measured points, expected points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.estimate import Guess
from search.sampling.candidates import Candidate, Named
from search.study.record import Choice

Floats = NDArray[np.float64]
Choices = Mapping[str, Choice]


class Outlook(Protocol):
    """Predicts a recipe's points, their share likely to be made, and the seconds of work."""

    def points(self, recipe: Any) -> list[Guess]:
        """Return the recipe's new points; empty where all its points are measured."""

    def seconds(self, recipe: Any) -> float:
        """Return the seconds of work on new models, for a recipe not yet begun."""

    def rest(self, recipe: Any) -> float:
        """Return the seconds of work left, for a running recipe."""

    def likely(self, recipe: Any) -> float:
        """Return the share of the recipe's points likely to be made, in (0, 1]."""

    def is_made(self, recipe: Any) -> bool:
        """Return whether all models of the recipe are stored, or in the making by other trials."""


class Seen(NamedTuple):
    """A measured point: choices, error, scaled costs, and the scaled costs estimated before the measurement.

    A point of a recipe the space does not build has no choices: the front counts the point, the surrogate leaves the
    point out.
    """

    choices: Choices
    trial: int
    error: float
    costs: Floats
    guessed: Floats


class Ahead(NamedTuple):
    """A recipe's points still to be made, and their scaled costs without the error, shape `(points, costs)`."""

    choices: Choices
    recipe: Named
    points: list[Guess]
    costs: Floats


class Expected(NamedTuple):
    """Expected points of several recipes: mean and deviation of the error `(n,)`, scaled costs `(n, costs)`.

    `parts` has the slice of each recipe's points.
    """

    mean: Floats
    deviation: Floats
    costs: Floats
    parts: list[slice]


def far_apart(
    costs: Mapping[Candidate, Floats], share: Mapping[Candidate, float], there: Sequence[Floats], count: int
) -> list[Candidate]:
    """Return the first recipes of a search: at most `count`, far apart in cost, for nothing is measured yet.

    Each has a point far in cost from those `there` and from earlier choices.

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
