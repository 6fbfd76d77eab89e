"""Settings of a study's trainings over every space: the trainings set, the trainings left alone, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compress.errors import RecipeError
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Recovery, Train
from compress.training.settings import Training
from search.sampling.candidates import Draw
from spaces import EARLIER, SPACES, Space
from spaces.study_training import StudyTraining

PLAIN = Training()
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=list(SPACES))


def drawn(space: Space, count: int = 30) -> Iterator[Recipe]:
    chance = np.random.default_rng(0)
    for _ in range(count):
        yield space.build(Draw(chance), "digits", 3)


def trainings(recipe: Recipe) -> Iterator[tuple[bool, Training]]:
    """Every training of the recipe, and whether it is a recovery."""
    if recipe.schooling is not None:
        yield False, recipe.schooling
    for stage in recipe.stages:
        if stage.lesson is not None:
            yield isinstance(stage.lesson, Recovery), stage.lesson.training


@every_space
def test_without_settings_a_space_is_itself(space: Space) -> None:
    assert StudyTraining().around(space) is space


@every_space
def test_every_training_and_every_recovery_is_set_and_all_else_stays(space: Space) -> None:
    told = StudyTraining({"epochs": 7, "batch_size": 64, "ema": 0.99}, {"epochs": 2, "decay": "constant"})
    changed = told.around(space)
    before, after = ([*drawn(each), each.baseline("digits", 3)] for each in (space, changed))
    for old, new in zip(before, after, strict=True):
        for (recovers, own), (_, training) in zip(trainings(old), trainings(new), strict=True):
            shared = replace(own, batch_size=64, ema=0.99)
            constant = replace(shared, epochs=2, decay="constant", drops=PLAIN.drops, factor=PLAIN.factor)
            assert training == (constant if recovers else replace(shared, epochs=7))


@pytest.mark.parametrize("space", EARLIER.values(), ids=list(EARLIER))
def test_settings_set_back_give_the_recipes_of_before(space: Space) -> None:
    told = StudyTraining({"epochs": 7, "batch_size": 64, "ema": 0.99}, {"epochs": 2, "decay": "constant"})
    changed = told.around(space)
    back = StudyTraining({"epochs": 60, "batch_size": 128, "ema": 0.0}, {"epochs": 10, "decay": "cosine"})
    assert [recipe.id for recipe in drawn(back.around(changed))] == [recipe.id for recipe in drawn(space)]


@every_space
def test_a_rate_scales_the_spaces_rates(space: Space) -> None:
    plain, scaled = list(drawn(space)), list(drawn(StudyTraining({"lr": 0.05}, {"lr": 0.002}).around(space)))
    for before, after in zip(plain, scaled, strict=True):
        for (recovers, old), (_, new) in zip(trainings(before), trainings(after), strict=True):
            assert new.lr == pytest.approx(old.lr / 10 if recovers else old.lr / 2, rel=1e-12)


def test_a_recovery_follows_the_rate_of_the_training_unless_told(tiny_recipe: Recipe) -> None:
    def rates(training: dict[str, Any], recovery: dict[str, Any]) -> list[float]:
        changed = StudyTraining(training, recovery).change(tiny_recipe, rate=0.1, recovery_rate=0.02)
        return [one.lr for _, one in trainings(changed)]

    assert rates({"lr": 0.01}, {}) == [0.01, 0.005]
    assert rates({"optimizer": "adamw"}, {}) == [0.001, 0.0005]
    assert rates({"optimizer": "adamw"}, {"optimizer": "sgd"}) == [0.001, 0.05]
    assert rates({}, {"optimizer": "adamw"}) == [0.1, 0.0005]
    assert rates({"lr": 0.3}, {"lr": 0.04}) == [0.3, 0.1]


@pytest.fixture
def tiny_recipe() -> Recipe:
    """A training from scratch at 0.1, and a recovery at 0.05."""
    from compress.pruning import L1Filter, OneShot
    from compress.stages import Prune

    cut = Prune(L1Filter(), 0.5, OneShot(), Recovery(Training(epochs=3, lr=0.05)))
    return Recipe("digits", Model("cnn"), (Train(Training(epochs=5)), cut))


def test_a_recovery_shares_how_the_training_learns_but_not_its_length() -> None:
    told = StudyTraining({"optimizer": "adamw", "clip_norm": 1.0, "epochs": 9, "warmup": 2.0, "momentum": 0.8})
    assert told.recovery == {"optimizer": "adamw", "clip_norm": 1.0, "momentum": 0.8, "weight_decay": 0.01}
    other = StudyTraining({"optimizer": "adamw", "clip_norm": 1.0}, {"optimizer": "sgd"})
    assert other.recovery == {"optimizer": "sgd", "clip_norm": 1.0}


def test_complete_settings_are_complete() -> None:
    for training, recovery in (
        ({"optimizer": "adamw", "drops": (0.5,), "decay": "step"}, {}),
        ({"lr": 0.2}, {"optimizer": "adamw"}),
        ({}, {"optimizer": "my_opt:make", "lr": 0.1}),
    ):
        told = StudyTraining(training, recovery)
        assert StudyTraining(**told.as_json()) == told


def test_a_network_already_trained_is_left_as_it_is(tiny_recipe: Recipe) -> None:
    first = Training(epochs=0)
    kept = Recipe("digits", Model("cnn", weights="/some/file.pt"), (Train(first),))
    assert StudyTraining({"epochs": 4, "lr": 0.5}).change(kept, rate=0.1, recovery_rate=0.02) == kept


def test_drops_of_a_space_go_with_its_decay(tiny_recipe: Recipe) -> None:
    stepped = Training(epochs=4, decay="step", drops=(0.9,), factor=0.5)
    recipe = Recipe("digits", Model("cnn"), (Train(stepped),))
    changed = StudyTraining({"decay": "constant"}).change(recipe, rate=0.1, recovery_rate=0.02)
    assert changed.stages[0] == Train(Training(epochs=4, decay="constant"))


@pytest.mark.parametrize(
    ("training", "recovery", "sentence"),
    [
        ({"epochs": 0}, {}, "training: epochs must be a whole number of at least 1, got 0"),
        ({}, {"epochs": 0}, "recovery: epochs must be a whole number of at least 1, got 0"),
        ({}, {"lr": -1.0}, "recovery: lr must be above 0, got -1.0"),
        (
            {"optimizer": "rmsprop"},
            {},
            "training: optimizer: unknown 'rmsprop', known are adamw, sgd, FILE",
        ),
        ({"optimizer": "my_opt:make"}, {}, "training: lr must be given with an optimizer of your own, got my_opt:make"),
        ({}, {"optimizer": "my_opt:make"}, "recovery: lr must be given with an optimizer of your own"),
        ({"drops": [0.5]}, {}, "training: drops and factor must come with the decay step, got cosine"),
        ({"label_smoothing": 0.1}, {}, "training: unknown 'label_smoothing', known are batch_size"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    training: dict[str, Any], recovery: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RecipeError) as told:
        StudyTraining(training, recovery)
    assert sentence in str(told.value)


def test_a_warm_up_longer_than_the_spaces_training_is_refused_by_name(tiny_recipe: Recipe) -> None:
    for told, who in ((StudyTraining({"warmup": 5}), "training"), (StudyTraining({}, {"warmup": 5}), "recovery")):
        with pytest.raises(RecipeError, match=f"{who}: warmup must be shorter than the [35] epochs of the training"):
            told.change(tiny_recipe, rate=0.1, recovery_rate=0.02)
