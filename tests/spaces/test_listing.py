"""The grid of a space: every recipe once, in a fixed order."""

from __future__ import annotations

import pytest

from compress.errors import RecipeError
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from spaces import EARLIER, SPACES, Space
from spaces.listing import MOST, listing
from spaces.papers import PAPERS
from spaces.questions import given
from spaces.restrict import restricted
from spaces.space import Trial, Value


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Choices: epochs 0 is impossible, and the batch is asked of the second width alone, and counts to 2 only."""
    epochs = trial.suggest_int("epochs", 0, 2)
    width = trial.suggest_categorical("width", (0.25, 0.5))
    batch = min(2, trial.suggest_categorical("batch", (1, 2, 3))) if width == 0.5 else 64
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=epochs, batch_size=batch)),), seed=seed)


SPACE = Space("small", build, Model("cnn"), "")


def test_every_recipe_is_listed_once_the_last_choice_first() -> None:
    found = listing(SPACE, "digits", 0, {})
    assert [tuple(choices.values()) for choices in found.choices] == [
        (1, 0.25), (1, 0.5, 1), (1, 0.5, 2), (2, 0.25), (2, 0.5, 1), (2, 0.5, 2)
    ]  # fmt: skip
    assert found.is_whole
    assert len(found.errors) == 4
    assert "epochs must be at least 1" in found.errors[0]


@pytest.mark.parametrize("name", PAPERS)
def test_the_spaces_of_papers_can_be_listed(name: str) -> None:
    for space in (*SPACES[name].scales.values(), *filter(None, [EARLIER.get(name)])):
        found = listing(space, "digits", 0, {})
        ids = {space.build(given(choices), "digits", 0).id for choices in found.choices}
        assert found.is_whole
        assert len(ids) == len(found.choices) > 1


def test_a_restricted_place_on_the_curve_is_listed() -> None:
    only: dict[str, tuple[Value, ...]] = {
        "order": ("prune",),
        "sparsity": (0.5, 0.9),
        "int8": (True,),
        "width": (0.5,),
        "lr": (0.05,),
    }
    only |= {"pruner": ("l1-filter",), "schedule": ("one-shot",), "student": ("cnn",)}
    space = restricted(SPACES["joint"], only, "digits", 0)
    found = [space.build(given(choices), "digits", 0) for choices in listing(space, "digits", 0, only).choices]
    assert [(r.stages[1].sparsity, r.stages[1].recovery.scope) for r in found] == [  # type: ignore[attr-defined]
        (0.5, "all"), (0.5, "classifier"), (0.9, "all"), (0.9, "classifier")
    ]  # fmt: skip


def test_numbers_without_steps_are_refused() -> None:
    with pytest.raises(RecipeError, match="grid: the values of sparsity must be named, --only sparsity=VALUE,VALUE,"):
        listing(SPACES["joint"], "digits", 0, {})


def test_a_grid_without_a_recipe_is_refused() -> None:
    only = {"epochs": (0,)}
    with pytest.raises(RecipeError, match="grid: small must have a recipe, got none: recipe: epochs must be"):
        listing(SPACE, "digits", 0, only)


def test_a_very_large_grid_is_cut_off() -> None:
    def many(trial: Trial, task: str, seed: int) -> Recipe:
        return Recipe(task, Model("cnn"), (Train(Training(epochs=trial.suggest_int("e", 1, 10**9))),), seed=seed)

    found = listing(Space("many", many, Model("cnn"), ""), "digits", 0, {})
    assert (len(found.choices), found.is_whole) == (MOST, False)
