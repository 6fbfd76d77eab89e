"""Refuse a budget below every network of a space, before anything is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from compress.costs import deepest
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.figures import LATENCY
from compress.latency.latency_model import LatencyModel
from compress.models import Model
from compress.pruning import APoZRounds
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Prune, Quantize, Train
from compress.training.settings import Training
from search.sampling.bounds import Bounds
from search.sampling.candidates import Draw
from search.selection.budget import option
from spaces import Space

DRAWS = 200
LEAST = (Train(Training()), Prune(APoZRounds(spare_shortcuts=False)), Quantize(Int8()))
"""Stages of the smallest model: pruning goes on while accuracy allows, down to a single channel in every layer."""


def check_within_reach(bounds: Bounds, space: Space, task: Task, latency: LatencyModel | None = None) -> None:
    """Raise ValueError if every student of the space, with a single channel in every layer, is over the bounds.

    `latency` foresees what a bound on latency is held against. A user's own network and a network without channels to
    cut pass: their smallest size is not known.
    """
    nearest: dict[str, float] = {}
    foresees = latency if LATENCY in bounds.most else None
    for student in students(space, task):
        points = [] if student.own else deepest(Recipe(task.name, student, LEAST), task, foresees)
        over = bounds.over(points)
        if not over:
            return
        nearest = min(filter(None, (nearest, over)), key=lambda misses: sum(misses.values()))
    for name, by in nearest.items():
        most = bounds.most[name]
        raise ValueError(
            f"{option('max_' + name)} must be something that a network of {space.name} can be cut to, "
            f"{_figure(name, most * (1 + by))} at least, got {most:,.10g}"
        )


def _figure(name: str, value: float) -> str:
    return f"{value:.3g}" if name == LATENCY else f"{value:,.0f}"


def students(space: Space, task: Task) -> Iterator[Model]:
    """Yield the different students of `DRAWS` random recipes."""
    chance = np.random.default_rng(0)
    seen = set()
    for _ in range(DRAWS):
        with suppress(RecipeError):
            student = space.build(Draw(chance), task.name, 0).student
            if student not in seen:
                seen.add(student)
                yield student
