"""Ask Optuna for choices until they make a new, feasible recipe within the bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from optuna import Trial

from compress.errors import RecipeError
from compress.recipe import Recipe
from search.sampling.auto import Auto
from search.sampling.candidates import Draw
from search.sampling.feasibility import Feasibility
from search.sampling.optuna_study import OptunaStudy
from search.sampling.outlook import Choices
from search.study.record import Choice
from search.study.study import Study
from spaces import Space

REPEATS = 50
"""Known recipes Optuna may suggest for a trial before the space counts as exhausted."""
STUBBORN = 5
"""Repeated or impossible suggestions before Optuna suggests at random: TPE can repeat itself for ever."""
OUTSIDE = 200
"""Recipes out of bounds, or impossible recipes, Optuna may suggest for a trial before the search ends."""


class Asked(NamedTuple):
    """A recipe to try, the choices of the recipe, and their trial number in Optuna, None without Optuna.

    `trial` is the number of the trial to continue, None to begin a new trial.
    """

    recipe: Recipe
    choices: Mapping[str, Choice]
    number: int | None
    trial: int | None = None


class Answer(NamedTuple):
    """The recipe found, None if no recipe is left, and the running trials to end early.

    The sampler `auto` expects too little of the remaining points of the trials in `given_up`. None means the sampler
    weighed no trial: the `given_up` of the answer before still holds.
    """

    asked: Asked | None
    given_up: frozenset[int] | None = None


class Suggester:
    """Suggests recipes for a study; `auto` is None under another sampler. `say` shows why no recipe is found."""

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

    def next(self, known: Mapping[str, int]) -> Answer:
        """Suggest a recipe not among the `known`, trials by recipe id; no recipe when the space is exhausted."""
        failed = Counter(repeated=0, outside=0, impossible=0)
        given_up: frozenset[int] | None = None
        others: list[Choices] | None = [] if self.auto is not None else None
        while failed["repeated"] < REPEATS and failed["outside"] < OUTSIDE and failed["impossible"] < OUTSIDE:
            if self.auto is not None and not self.optuna_study.waiting and others is not None:
                refused = failed["outside"] + failed["impossible"]
                if not others:  # more by the number refused: checking takes less time than choosing
                    proposal = self.auto.choose(known.keys() | self.feasibility.refused, refused)
                    others, given_up = proposal.choices or None, proposal.given_up
                if others is not None:
                    wanted = max(1, len(others) - refused)
                    self.optuna_study.begin(others[:wanted])
                    others = others[wanted:]
            asked = self.optuna_study.ask(at_random=failed["repeated"] + failed["impossible"] >= STUBBORN)
            found = self._take(asked, known)
            if isinstance(found, Recipe):
                return Answer(Asked(found, self.space.settle(asked.params), asked.number), given_up)
            failed[found] += 1
        self._say_end(failed)
        return Answer(None, given_up)

    def _take(self, asked: Trial, known: Mapping[str, int]) -> Recipe | str:
        """Return the recipe of Optuna's choices; otherwise end Optuna's trial, and return the kind of failure."""
        try:
            recipe = self.space.build(asked, self.task, self.seed)
        except RecipeError as error:
            self.optuna_study.forget(asked.number)
            self.say(f"a recipe was not tried: {error}")
            return "impossible"
        if recipe.id in known:
            self._answer(asked.number, known[recipe.id])
            return "repeated"
        over = self.feasibility.over(recipe)
        if over is None:
            return recipe
        if over:
            self.optuna_study.refuse(asked, over)
            return "outside"
        self.optuna_study.forget(asked.number)
        return "impossible"

    def _answer(self, number: int, trial: int) -> None:
        """End Optuna's trial of a repeated recipe with the points of the recipe's first trial."""
        first = self.study.trials[trial]
        if first.status == "complete":
            self.optuna_study.tell_end(number, list(first.points.values()))
        else:
            self.optuna_study.forget(number)

    def _say_end(self, failed: Mapping[str, int]) -> None:
        if failed["outside"] >= OUTSIDE:
            why = f"of {failed['outside']} recipes in a row none would have a point within the bounds"
        elif failed["impossible"] >= OUTSIDE:
            why = f"of {failed['impossible']} recipes in a row none could be carried out"
        else:
            why = f"{failed['repeated']} asks in a row gave no new recipe"
        self.say(f"the search ends: {why}")


def takes(space: Space, task: str, seed: int, choices: Mapping[str, Choice]) -> bool:
    """Return whether the space makes a recipe of exactly these choices; another study may have had other models."""
    draw = Draw(np.random.default_rng(0), choices)
    try:
        space.build(draw, task, seed)
    except RecipeError:
        return False
    return draw.params == dict(choices)
