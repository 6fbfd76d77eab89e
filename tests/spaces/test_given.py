"""Spaces over a user's models: which are asked for, at what widths, and which are taken as their weights have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import torch
from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial

from compress.models import Model
from compress.plan import plan
from compress.recipe import Recipe
from compress.stages import Distill, Train
from compress.training.settings import Training
from spaces import SPACES, Space
from spaces.space import effort, learning, schooling

AS_IT_IS = Training(epochs=0)
Drawn = list[tuple[dict[str, object], dict[str, BaseDistribution], Recipe]]
able = [name for name, space in SPACES.items() if space.given is not None]


@pytest.fixture
def with_weights(tmp_path: Path) -> Model:
    """A narrow ResNet whose weights lie in a file."""
    torch.save(Model("resnet20").build(10, 1).state_dict(), tmp_path / "w.pt")
    return Model.parse(f"resnet20@{tmp_path / 'w.pt'}")


def over(name: str, students: tuple[Model, ...] = (), teachers: tuple[Model, ...] = ()) -> Space:
    given = SPACES[name].given
    assert given is not None
    return given(students, teachers)


def drawn(space: Space) -> Drawn:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found: Drawn = []
    for _ in range(100):
        trial = study.ask()
        recipe = space.build(trial, "digits", 7)
        found.append((trial.params, trial.distributions, recipe))
    return found


@pytest.mark.parametrize("name", able)
@pytest.mark.parametrize("taught", [False, True], ids=["alone", "taught"])
def test_a_space_keeps_its_promises_over_given_models(name: str, taught: bool, with_weights: Model) -> None:
    space = over(name, (with_weights, Model("vgg8")), (Model("resnet32"),) if taught else ())
    known: dict[str, BaseDistribution] = {}
    for choices, distributions, recipe in drawn(space):
        assert space.build(FixedTrial(choices), "digits", 7) == recipe == Recipe.from_json(recipe.as_json())
        for what, distribution in distributions.items():
            assert known.setdefault(what, distribution) == distribution, what
    for begun in space.beginnings:
        asked = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        asked.enqueue_trial(dict(begun))
        trial = asked.ask()
        space.build(trial, "digits", 0)
        assert trial.params == begun


@pytest.mark.parametrize("name", able)
def test_only_given_models_are_asked_for(name: str, with_weights: Model) -> None:
    recipes = [recipe for _, _, recipe in drawn(over(name, (with_weights, Model("vgg8")), (Model("resnet32"),)))]
    assert {recipe.student.family for recipe in recipes} == {"resnet20", "vgg8"}
    assert {recipe.teacher for recipe in recipes} <= {Model("resnet32"), None}
    assert Model("resnet32") in {recipe.teacher for recipe in recipes}


@pytest.mark.parametrize("name", able)
def test_without_given_teachers_there_are_none(name: str) -> None:
    recipes = [recipe for _, _, recipe in drawn(over(name, (Model("vgg8"),)))]
    assert {recipe.teacher for recipe in recipes} == {None}
    assert {type(recipe.stages[0]) for recipe in recipes} == {Train}


@pytest.mark.parametrize("name", able)
def test_without_given_students_they_are_the_spaces_own(name: str) -> None:
    own = {recipe.student for _, _, recipe in drawn(SPACES[name])}
    assert {recipe.student for _, _, recipe in drawn(over(name, teachers=(Model("vgg8"),)))} == own


@pytest.mark.parametrize("name", able)
def test_a_student_with_weights_has_one_width_and_is_trained_only_when_taught(name: str, with_weights: Model) -> None:
    for choices, _, recipe in drawn(over(name, (with_weights,), (Model("vgg8"),))):
        assert recipe.student == with_weights
        assert "width" not in choices
        first = recipe.stages[0]
        assert isinstance(first, Train | Distill)
        assert (first.training == AS_IT_IS) == isinstance(first, Train)


@pytest.mark.parametrize("name", able)
def test_a_model_of_one_width_is_asked_for_at_no_other(name: str) -> None:
    choices = [choices for choices, _, _ in drawn(over(name, (Model("resnet18"), Model("cnn"))))]
    assert {("width" in chosen, chosen["student"]) for chosen in choices} == {(False, "resnet18"), (True, "cnn")}


@pytest.mark.parametrize("name", able)
def test_a_teacher_with_weights_is_taken_as_it_is(name: str, with_weights: Model) -> None:
    space = over(name, (Model("cnn"),), (with_weights,))
    taught = [recipe for _, _, recipe in drawn(space) if recipe.teacher is not None]
    assert {recipe.schooling for recipe in taught} == {AS_IT_IS}
    baseline = plan(space.baseline("digits", 7), "data")[0].key
    assert {step.key for r in taught if (step := plan(r, "data")[0].teacher) is not None} == {baseline}


@pytest.mark.parametrize("name", able)
@pytest.mark.parametrize(
    ("students", "teachers", "first"),
    [(("vgg8", "cnn"), (), "vgg8"), ((), ("vgg11", "cnn"), "vgg11"), (("cnn",), ("vgg8",), "vgg8")],
)
def test_budgets_are_of_the_first_teacher_or_else_the_first_student(
    name: str, students: tuple[str, ...], teachers: tuple[str, ...], first: str
) -> None:
    space = over(name, tuple(map(Model, students)), tuple(map(Model, teachers)))
    assert space.teacher == space.baseline("digits", 0).student == Model(first)


def test_an_own_function_is_asked_for_at_the_widths_it_takes(source: Callable[[str, str], None]) -> None:
    lines = "from torch import nn\ndef one(k, c): ...\ndef many(k, c, width): ...\n"
    source("widths.py", lines)
    space = over("joint", (Model("widths:one"), Model("widths:many")))
    assert {(c["student"], "width" in c) for c, _, _ in drawn(space)} == {("widths:one", False), ("widths:many", True)}


def test_weights_of_other_images_are_trained_on_with_smaller_steps() -> None:
    begun = Model("resnet18", weights="torchvision:IMAGENET1K_V1")
    assert learning("digits", begun) == schooling("digits", begun)
    assert learning("digits", begun).epochs == effort("digits").scratch
    assert learning("digits", begun).lr < learning("digits", Model("resnet18")).lr
