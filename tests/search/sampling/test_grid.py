"""The sampler `grid`: the recipes in order, those known or out of bounds passed over, Optuna told of each."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from compress.data.tasks import Task
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from search.sampling.bounds import UNBOUNDED, Bounds
from search.sampling.feasibility import Feasibility
from search.sampling.grid import Grid
from search.sampling.optuna_study import GRID, OptunaStudy
from spaces import Space
from spaces.listing import listing
from spaces.space import Trial

OBJECTIVES = ("accuracy", "params")


def build(trial: Trial, task: str, seed: int) -> Recipe:
    width = trial.suggest_categorical("width", (0.25, 0.5, 1.0))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=trial.suggest_int("epochs", 1, 2))),), seed=seed)


SPACE = Space("widths", build, Model("cnn"), "")


@pytest.fixture
def optuna_study() -> OptunaStudy:
    return OptunaStudy(optuna.storages.InMemoryStorage(), "s", OBJECTIVES, 0, GRID)


def grid_of(optuna_study: OptunaStudy, task: Task, notes: list[str], bounds: Bounds = UNBOUNDED) -> Grid:
    choices = listing(SPACE, task.name, 0, {}).choices
    return Grid(choices, optuna_study, SPACE, task.name, 0, Feasibility(task, bounds, notes.append), notes.append)


def taken(grid: Grid, known: dict[str, int]) -> list[Any]:
    """Take recipes until none is left; each is known from then on."""
    found = []
    while (asked := grid.next(known).asked) is not None:
        known[asked.recipe.id] = len(known)
        found.append(asked)
    return found


def test_every_recipe_is_suggested_once_and_optuna_knows_its_choices(digits: Task, optuna_study: OptunaStudy) -> None:
    found = taken(grid_of(optuna_study, digits, []), {})
    choices = [(w, e) for w in (0.25, 0.5, 1.0) for e in (1, 2)]
    assert [(one.choices["width"], one.choices["epochs"]) for one in found] == choices
    told = {trial.number: trial.params for trial in optuna_study.study.get_trials()}
    assert all(told[one.number] == one.choices for one in found)


def test_known_recipes_are_passed_over(digits: Task, optuna_study: OptunaStudy) -> None:
    first = SPACE.build(optuna.trial.FixedTrial({"width": 0.25, "epochs": 1}), "digits", 0)
    assert len(taken(grid_of(optuna_study, digits, []), {first.id: 0})) == 5


def test_recipes_out_of_bounds_are_passed_over_and_counted(digits: Task, optuna_study: OptunaStudy) -> None:
    notes: list[str] = []
    found = taken(grid_of(optuna_study, digits, notes, Bounds({"params": 2000.0})), {})
    assert {one.choices["width"] for one in found} == {0.25}
    assert notes == ["4 recipes of the grid would have no point within the bounds, and were not tried"]


def test_choices_enqueued_before_a_crash_are_asked_once(digits: Task, optuna_study: OptunaStudy) -> None:
    optuna_study.begin([{"width": 1.0, "epochs": 2}, {"width": 0.25, "epochs": 1}])
    found = taken(grid_of(optuna_study, digits, []), {})
    assert len({one.recipe.id for one in found}) == len(found) == 6
