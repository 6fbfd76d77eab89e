"""Values for the acquisition function: recipes before they are carried out, running recipes, measured points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.estimate import Guess
from search.sampling.candidates import Named
from search.study.record import Choice

Floats = NDArray[np.float64]
Choices = Mapping[str, Choice]


class Outlook(Protocol):
    """Predicts a recipe's points, seconds and chances."""

    def points(self, recipe: Any) -> list[Guess]:
        """The recipe's new points; empty where all its points are measured."""

    def seconds(self, recipe: Any) -> float:
        """Seconds of work on new models, for a recipe not yet begun."""

    def rest(self, recipe: Any) -> float:
        """Seconds of work left, for a running recipe."""

    def likely(self, recipe: Any) -> float:
        """The share of its points likely to come, in (0, 1]."""

    def is_made(self, recipe: Any) -> bool:
        """Whether all its models are there or in the making by other trials."""


class Seen(NamedTuple):
    """A measured point: choices, error and scaled costs, and the costs as guessed before.

    A point of a recipe the space does not build has no choices: it is on the front, but says nothing of other points.
    """

    choices: Choices
    trial: int
    error: float
    costs: Floats
    guessed: Floats


class Ahead(NamedTuple):
    """A recipe's points to come, and their costs besides the error, scaled: a row a point."""

    choices: Choices
    recipe: Named
    points: list[Guess]
    costs: Floats


class Expected(NamedTuple):
    """Points to come of several recipes: mean and deviation of the error, and scaled costs, a row a point.

    `parts` are the places of each recipe's points.
    """

    mean: Floats
    deviation: Floats
    costs: Floats
    parts: list[slice]
