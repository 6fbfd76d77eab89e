"""The joint space at the published scale: its networks and trainings, on images of CIFAR's size and a user's models."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from optuna.trial import FixedTrial

from compress.costs import check
from compress.data.splits import TensorSplit
from compress.data.tasks import Task
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Train
from compress.training.settings import Training
from search.sampling.candidates import Draw
from spaces import SPACES
from spaces.joint_published import JOINT_PUBLISHED, STUDENTS, TEACHERS
from spaces.questions import given
from spaces.space import Value

REPDISTILLER = Training(240, 0.05, 64, decay="step", drops=(0.625, 0.75, 0.875))


@pytest.fixture
def photos(tiny: Task) -> Task:
    """The tiny task with images of CIFAR's size."""

    def enlarged(split: object) -> TensorSplit:
        assert isinstance(split, TensorSplit)
        return replace(split, images=torch.zeros(len(split), 3, 32, 32))

    train, validation, test = map(enlarged, (tiny.train, tiny.validation, tiny.test))
    task = replace(tiny, train=train, validation=validation, test=test)
    return replace(task, name="cifar100", shape=(3, 32, 32), mean=(0.0,) * 3, std=(1.0,) * 3)


@lru_cache(maxsize=1)
def drawn() -> tuple[tuple[dict[str, Value], Recipe], ...]:
    chance, found = np.random.default_rng(0), []
    for _ in range(300):
        draw = Draw(chance)
        found.append((draw.params, JOINT_PUBLISHED.build(draw, "cifar100", 1)))
    return tuple(found)


def test_every_network_is_asked_for() -> None:
    assert {recipe.student.family for _, recipe in drawn()} == {model.family for model in STUDENTS}
    assert {recipe.teacher for _, recipe in drawn()} == {None, *TEACHERS}
    widths = {recipe.student.width for _, recipe in drawn() if recipe.student.family == "mobilenetv2"}
    assert widths == {0.25, 0.5, 1.0}


def test_the_same_choices_give_the_same_recipe_and_its_json() -> None:
    for choices, recipe in drawn():
        assert JOINT_PUBLISHED.build(FixedTrial(choices), "cifar100", 1).id == recipe.id
        assert Recipe.from_json(recipe.as_json()) == recipe


def test_networks_are_trained_as_in_repdistiller() -> None:
    assert [REPDISTILLER.lr_at(epoch / 240) for epoch in (0, 149.5, 150, 180, 210)] == pytest.approx(
        [0.05, 0.05, 0.005, 0.0005, 0.00005]
    )
    for _, recipe in drawn():
        (first, *_) = recipe.stages
        assert isinstance(first, Train | Distill)
        assert first.training.lr == (0.01 if recipe.student.family == "mobilenetv2" else 0.05)
        assert recipe.schooling in (None, REPDISTILLER)
        assert (first.training.epochs, first.training.batch_size) == (240, 64)
    baseline = JOINT_PUBLISHED.baseline("cifar100", 1)
    assert (baseline.student, baseline.stages) == (Model("resnet32x4"), (Train(REPDISTILLER),))


def test_a_recovery_has_a_rate_for_its_family() -> None:
    rates: dict[bool, set[float]] = {True: set(), False: set()}
    for _, recipe in drawn():
        cut = recipe.stages[1]
        if isinstance(cut, Prune):
            rates[recipe.student.family == "mobilenetv2"].add(cut.recovery.training.lr)
            assert (cut.recovery.training.epochs, cut.recovery.training.batch_size) == (20, 64)
    assert rates == {True: {0.002, 0.004, 0.01}, False: {0.01, 0.02, 0.05}}


def test_recipes_can_be_carried_out_on_images_of_cifars_size(photos: Task) -> None:
    for _, recipe in drawn()[:12]:
        check(recipe, photos)


def test_beginnings_make_recipes_of_the_space() -> None:
    for choices in JOINT_PUBLISHED.beginnings:
        assert len(JOINT_PUBLISHED.build(given(choices), "cifar10", 1).stages) == 2 + bool(choices["int8"])


def test_a_users_models_are_trained_at_either_scale() -> None:
    for scale, epochs in (("small", 60), ("published", 240)):
        make = SPACES["joint"].at(scale).given
        assert make is not None
        space = make((Model("cnn"),), ())
        recipe = space.build(Draw(np.random.default_rng(0)), "cifar10", 1)
        assert (recipe.student.family, space.teacher, space.scales) == ("cnn", Model("cnn"), {})
        assert isinstance(recipe.stages[0], Train)
        assert recipe.stages[0].training.epochs == epochs
        first = space.baseline("cifar10", 1).stages[0]
        assert isinstance(first, Train)
        assert first.training.epochs == epochs


def test_a_trained_network_is_not_trained_again() -> None:
    make = SPACES["joint"].at("published").given
    assert make is not None
    first = make((Model("cnn"),), (Model("cnn", weights="/w.pt"),)).baseline("cifar10", 1).stages[0]
    assert isinstance(first, Train)
    assert first.training.epochs == 0
