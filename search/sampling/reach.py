"""A budget that no network of a space can come down to is refused before anything is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from compress.costs import deepest
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.models import Model
from compress.pruning import APoZRounds
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Prune, Quantize, Train
from compress.training import Training
from search.sampling.bounds import Bounds
from search.sampling.candidates import Draw
from search.selection.budget import option
from spaces import Space

DRAWS = 200
LEAST = (Train(Training()), Prune(APoZRounds(spare_shortcuts=False)), Quantize(Int8()))
"""Goes on for as long as accuracy allows, so that the least it can leave is one channel everywhere."""


def check_within_reach(bounds: Bounds, space: Space, task: Task) -> None:
    """ValueError if none of a space's students could be within the bounds with one channel left everywhere.

    Of a user's own network and of one without channels to cut it is not said how small they can become.
    """
    nearest: dict[str, float] = {}
    for student in students(space, task):
        points = [] if student.own else deepest(Recipe(task.name, student, LEAST), task)
        over = bounds.over(points)
        if not over:
            return
        nearest = min(filter(None, (nearest, over)), key=lambda misses: sum(misses.values()))
    for name, by in nearest.items():
        most = bounds.most[name]
        raise ValueError(
            f"{option('max_' + name)} must be something that a network of {space.name} can be cut to, "
            f"{most * (1 + by):,.0f} at least, got {most:,.10g}"
        )


def students(space: Space, task: Task) -> Iterator[Model]:
    """Different ones of recipes drawn by chance."""
    chance = np.random.default_rng(0)
    seen = set()
    for _ in range(DRAWS):
        with suppress(RecipeError):
            student = space.build(Draw(chance), task.name, 0).student
            if student not in seen:
                seen.add(student)
                yield student
