"""Look into a space: draw recipes at random, to learn the questions the space asks, and its faults.

A space is a function, so its questions show in no other way. Draws are the same on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from compress.encoding import digest
from compress.errors import RecipeError
from compress.recipe import Recipe
from spaces.questions import Question, Recorded, check_same, given
from spaces.space import PLACED, Space, Value

DRAWS = 1000
"""Recipes drawn: a question asked in a hundredth of the recipes is missed with a chance of 1 in 20,000."""
IN_VAIN = 100
"""Draws after which a space without a recipe is drawn from no more."""
TWICE = 20
"""Recipes built a second time, to see whether the same choices make the same recipe."""


@dataclass
class Probe:
    """Questions by name in the order of asking, different recipes by id, and the draws without a recipe.

    `errors` has a sentence for every draw without a recipe, `drawn` is the number of draws. `answered` has the names of
    the questions some recipe was made after, `refused` by name the first sentence on a draw in which it was asked.
    """

    questions: dict[str, Question] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    drawn: int = 0
    answered: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Hash of the recipes drawn: two spaces with the same hash make the same recipes."""
        return digest(sorted(self.recipes))


def probe(space: Space, task: str, seed: int) -> Probe:
    """Draw `DRAWS` recipes. RecipeError for one name with two questions, or two recipes of the same choices."""
    found, chance = Probe(), random.Random(0)
    for number in range(DRAWS):
        if number == IN_VAIN and not found.recipes:
            break
        found.drawn += 1
        trial = Recorded(lambda _, question: question.at(chance.random()))
        try:
            recipe = space.build(trial, task, seed)
        except RecipeError as error:
            found.errors.append(str(error))
            found.refused = {**dict.fromkeys(trial.questions, str(error)), **found.refused}
        else:
            found.recipes[recipe.id] = recipe
            found.answered.update(trial.questions)
            if number < TWICE and space.build(given(trial.answers), task, seed).id != recipe.id:
                raise RecipeError(
                    f"space {space.name}: must make the same recipe of the same choices, got two of {trial.answers}"
                )
        for name, question in trial.questions.items():
            try:
                check_same(name, found.questions.setdefault(name, question), question)
            except RecipeError as error:
                raise RecipeError(f"space {space.name}: {error}; use a name for each") from error
    return found


def makes(space: Space, task: str, seed: int, choices: Mapping[str, Value]) -> bool:
    """Return whether the space makes a recipe of exactly these choices."""
    trial = given(choices)
    try:
        space.build(trial, task, seed)
    except RecipeError:
        return False
    return trial.answers.keys() == choices.keys()


def check_placed(space: str, questions: Mapping[str, Question]) -> None:
    """Raise RecipeError unless a point of a curve can be told under its own `sparsity` and `int8`."""
    for name in PLACED:
        question = questions.get(name)
        if question is None:
            continue
        is_even = question.numeric and not (question.whole or question.log)
        if name == "sparsity" and not (is_even and 0 <= question.low <= question.high < 1):
            raise RecipeError(
                f"space {space}: sparsity, the place on a curve, must be asked by suggest_float within [0, 1), "
                f"got {question}; restrict it by --only, or use another name"
            )
        if name == "int8" and not (question.admits(True) and question.admits(False)):
            raise RecipeError(
                f"space {space}: int8, the variant of a point, must be asked among False, True, got {question}; "
                "use another name"
            )
