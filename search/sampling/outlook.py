"""What the acquisition function weighs: recipes before they are carried out, running recipes and measured points."""

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
    """What can be said of a recipe before it is carried out."""

    def points(self, recipe: Any) -> list[Guess]:
        """Its points to be; none for a recipe that would only give what there is."""

    def seconds(self, recipe: Any) -> float:
        """What is left to be done for them."""

    def rest(self, recipe: Any) -> float:
        """The same of one that is being carried out."""

    def likely(self, recipe: Any) -> float:
        """The share of its points to be that are likely to come, in (0, 1]."""

    def is_made(self, recipe: Any) -> bool:
        """Whether what it would give comes without it."""


class Seen(NamedTuple):
    """A measured point: the choices it is an observation of, its error and costs, scaled, and the guess of these.

    One of a recipe that the space does not build has no choices: it is there, but says nothing of others.
    """

    choices: Choices
    trial: int
    error: float
    costs: Floats
    guessed: Floats


class Ahead(NamedTuple):
    """The points to be of a recipe, and their costs besides the error, scaled: one row a point."""

    choices: Choices
    recipe: Named
    points: list[Guess]
    costs: Floats


class Expected(NamedTuple):
    """Of points to be, one after the other: the error's mean and deviation, and scaled costs, one row a point.

    `parts` are the places of each recipe's points.
    """

    mean: Floats
    deviation: Floats
    costs: Floats
    parts: list[slice]
