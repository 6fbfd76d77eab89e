"""Asks Optuna for choices until they make a recipe that is new, can be carried out, and keeps to the bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from compress.errors import RecipeError
from compress.recipe import Recipe
from search.sampling.acquisition import Choices
from search.sampling.auto import Auto
from search.sampling.candidates import Draw
from search.sampling.feasibility import Feasibility
from search.sampling.optuna_study import OptunaStudy
from search.study.record import Choice
from search.study.study import Study
from spaces import Space

REPEATS = 50
"""Asks in a row that only repeat known recipes before the space counts as exhausted."""
STUBBORN = 5
"""Of those and of what cannot be, what the sampler may have: TPE can repeat itself for good. Then chance asks."""
OUTSIDE = 200
"""Asks for one trial that may give recipes out of bounds, or that cannot be, before the search counts as done."""


class Asked(NamedTuple):
    """A recipe to be tried, the choices that make it, and the number under which Optuna asked for them."""

    recipe: Recipe
    choices: dict[str, Choice]
    number: int


class Suggester:
    """For one study; the sampler `auto` has a `auto`. `say` is told when there is nothing within the bounds."""

    def __init__(
        self,
        study: Study,
        optuna_study: OptunaStudy,
        space: Space,
        task: str,
        seed: int,
        feasibility: Feasibility,
        auto: Auto | None,
        say: Callable[[str], None],
    ) -> None:
        self.study, self.optuna_study, self.space, self.task, self.seed = study, optuna_study, space, task, seed
        self.feasibility, self.auto, self.say = feasibility, auto, say

    def next(self, known: Mapping[str, int]) -> Asked | None:
        """One that is not among the recipes that are `known`, trials by id; None when no more are found."""
        replicates = outside = impossible = 0
        others: list[Choices] | None = []
        while replicates < REPEATS and outside < OUTSIDE and impossible < OUTSIDE:
            if self.auto is not None and not self.optuna_study.waiting and others is not None:
                if not others:  # as many more as were refused: to look at one takes less time than to choose it
                    others = self.auto.choose(known.keys() | self.feasibility.refused, outside + impossible) or None
                if others is not None:
                    wanted = max(1, len(others) - outside - impossible)
                    self.optuna_study.begin(others[:wanted])
                    others = others[wanted:]
            asked = self.optuna_study.ask(at_random=replicates + impossible >= STUBBORN)
            try:
                recipe = self.space.build(asked, self.task, self.seed)
            except RecipeError:
                self.optuna_study.forget(asked.number)
                impossible += 1
                continue
            if recipe.id in known:
                self._answer(asked.number, known[recipe.id])
                replicates += 1
                continue
            over = self.feasibility.over(recipe)
            if over is None:
                return Asked(recipe, dict(asked.params), asked.number)
            if over:
                self.optuna_study.refuse(asked, over)
                outside += 1
            else:
                self.optuna_study.forget(asked.number)
                impossible += 1
        if outside >= OUTSIDE:
            self.say(f"the search ends: of {outside} recipes in a row none would have a point within the bounds")
        elif impossible >= OUTSIDE:
            self.say(f"the search ends: of {impossible} recipes in a row none could be carried out")
        else:
            self.say(f"the search ends: {replicates} asks in a row gave no new recipe")
        return None

    def takes(self, choices: Mapping[str, Choice]) -> bool:
        """Whether the space makes a recipe of just these: another study may have been about other models."""
        draw = Draw(np.random.default_rng(0), choices)
        try:
            self.space.build(draw, self.task, self.seed)
        except RecipeError:
            return False
        return draw.params == dict(choices)

    def _answer(self, number: int, trial: int) -> None:
        """A recipe that ran already is not run again: the ask is told what the first one gave."""
        first = self.study.trials[trial]
        if first.status == "complete":
            self.optuna_study.tell_end(number, list(first.points.values()))
        else:
            self.optuna_study.forget(number)
