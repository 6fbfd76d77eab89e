"""The space of a study before anything starts: what the header keeps, what a resumed study refuses, what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.goals import Segmentation
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from search.beginning.begin_space import BegunSpace, planned, space_of, suited
from search.settings import Settings
from search.study.names import StudyError
from search.study.study import Study
from spaces import SPACES, Space
from spaces.given_recipes import of_recipes
from spaces.listing import Listing
from spaces.probe import probe
from spaces.restrict import restricted
from spaces.space import Trial

NET = """
from torch import nn
def make(classes, channels):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
"""
OPTIMIZER = "import torch\ndef make(groups, *, lr, weight_decay):\n    return torch.optim.RAdam(groups, lr=lr)\n"


def build(trial: Trial, task: str, seed: int) -> Recipe:
    family = str(trial.suggest_categorical("family", ("cnn", "my_net:make")))
    if trial.suggest_categorical("fails", (False, True)):
        raise KeyError("oops")
    training = Training(epochs=1, lr=0.01, optimizer="my_opt:make")
    return Recipe(task, Model(family), (Train(training),), seed=seed)


@pytest.fixture
def begin(tmp_path: Path, digits: Task, source: Callable[[str, str], None]) -> Callable[..., BegunSpace]:
    """`begin(study, **settings)`: the space of a study with a user's network and optimizer beside it."""
    source("my_net.py", NET)
    source("my_opt.py", OPTIMIZER)

    def make(study: Study | None = None, **settings: Any) -> BegunSpace:
        settings = {"space": Space("mine", build, Model("cnn"), ""), "home": tmp_path, **settings}
        return space_of(study or Study(tmp_path, "new"), Settings("new", **settings), {}, digits)

    return make


def begun(tmp_path: Path, **header: object) -> Study:
    study = Study(tmp_path, "s")
    study.begin(
        task="digits", space="mine", seed=0, objectives=["accuracy", "params"], reference_point={"params": 1}, **header
    )
    return study


def test_the_header_keeps_what_is_the_users_own(begin: Callable[..., BegunSpace]) -> None:
    found = begin(only=("family=my_net:make",))
    assert found.header["only"] == {"family": ["my_net:make"]}
    assert list(found.header["networks"]) == ["my_net:make"]
    assert found.header["space_is"]


def test_recipes_that_cannot_be_made_are_told_with_a_reason(begin: Callable[..., BegunSpace]) -> None:
    note = begin().note
    assert note.startswith("of 1000 recipes drawn ")
    sentence = "cannot be made, and will be left out: space mine: must return a recipe, got KeyError: 'oops' ("
    assert sentence in note


def test_a_study_begun_so_is_resumed_without_restrictions(begin: Callable[..., BegunSpace], tmp_path: Path) -> None:
    study = begun(tmp_path, **begin(only=("family=cnn",)).header)
    assert begin(study, resume=True).only == {"family": ("cnn",)}
    assert begin(study, resume=True, only={"family": ["cnn"]}).only == {"family": ("cnn",)}
    with pytest.raises(StudyError, match="study s: was begun with only family=cnn, got family=my_net:make; begin"):
        begin(study, resume=True, only=("family=my_net:make",))


def test_another_space_of_the_name_is_refused(begin: Callable[..., BegunSpace], tmp_path: Path) -> None:
    study = begun(tmp_path, space_is="another")
    with pytest.raises(StudyError, match="study s: its space mine must be as it was when the study was begun"):
        begin(study, resume=True)


def test_given_recipes_are_kept_whole(begin: Callable[..., BegunSpace], tmp_path: Path) -> None:
    recipes = {"a": Recipe("digits", Model("cnn", 0.25), (Train(Training(epochs=1)),))}
    found = begin(space=of_recipes(recipes))
    assert found.header == {"recipes": {"a": recipes["a"].as_json()}}
    with pytest.raises(StudyError, match="study s: was begun with the recipes b, got a, or others under these names"):
        begin(begun(tmp_path, recipes={"b": {}}), space=of_recipes(recipes), resume=True)


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (Space("mine", build, Model("my_net:gone"), ""), "my_net must have a function gone"),
        (Space("mine", build, Model("cnn"), "", ({"family": "vgg"},)), "space mine: a beginning must make a recipe of"),
        (Space("mine", lambda *_: 5, Model("cnn"), ""), "space mine: must return a Recipe, got a int"),  # type: ignore[arg-type]
    ],
)
def test_a_space_at_fault_is_refused(begin: Callable[..., BegunSpace], space: Space, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        begin(space=space)


def test_a_grid_is_told_with_its_number() -> None:
    space, grid = Space("mine", build, Model("cnn"), ""), Listing(({"x": 1}, {"x": 2}))
    assert planned(Settings("s", sampler="grid", seeds=3), space, grid) == (
        3,
        "grid: 2 recipes of mine, after the unpruned cnn, each with 3 seeds",
    )
    assert planned(Settings("s", sampler="grid", trials=2), space, grid)[0] == 2
    assert planned(Settings("s"), space, None) == (24, "")
    with pytest.raises(ValueError, match="grid: mine must have at most 10,000 recipes, got more; restrict choices"):
        planned(Settings("s", sampler="grid"), space, Listing(({"x": 1},), is_whole=False))


def test_distillers_that_cannot_teach_the_goal_are_not_asked_for(tiny: Task) -> None:
    pixels = replace(tiny, goal=Segmentation(("ground", "ink")))
    fit = probe(suited(SPACES["joint"], pixels, 0), "digits", 0).questions
    for name in ("distiller", "recovery distiller"):
        assert "kd" in fit[name].choices
        assert not {"crd", "srrl", "simkd"}.intersection(fit[name].choices)
    assert suited(SPACES["joint"], tiny, 0) is SPACES["joint"]
    none_fits = restricted(SPACES["joint"], {"order": ("distill-prune",), "distiller": ("crd",)}, "digits", 0)
    with pytest.raises(RecipeError, match="distiller: a method must be left that can teach segmentation, got "):
        suited(none_fits, pixels, 0)


def test_the_largest_teacher_left_is_the_reference(begin: Callable[..., BegunSpace], tmp_path: Path) -> None:
    found = begin(space="joint", only=("teacher=cnn",))
    assert (found.space.teacher, found.header["reference"]) == (Model("cnn"), "cnn")
    assert found.note == "the unpruned cnn is the reference, as no recipe is left with the teacher resnet20"
    for only in (("teacher=cnn,resnet20",), ("order=prune",), ("student=cnn",)):
        found = begin(space="joint", only=only)
        assert (found.space.teacher, found.note, "reference" in found.header) == (Model("resnet20"), "", False)


def test_a_study_keeps_the_reference_it_was_begun_with(begin: Callable[..., BegunSpace], tmp_path: Path) -> None:
    only = {"teacher": ["cnn"]}
    old = begun(tmp_path, only=only)
    assert begin(old, space="joint", resume=True).space.teacher == Model("resnet20")
    new = begun(tmp_path / "new", only=only, reference="cnn")
    assert begin(new, space="joint", resume=True).space.teacher == Model("cnn")
    other = begun(tmp_path / "other", only=only, reference="vgg8")
    with pytest.raises(StudyError, match="study s: was begun with the unpruned teacher vgg8, got a space with cnn;"):
        begin(other, space="joint", resume=True)
