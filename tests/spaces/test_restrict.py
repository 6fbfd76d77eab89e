"""`--only`: what is read, what is refused, and what the restricted space asks and makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
import pytest

from compress.errors import RecipeError
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Train
from compress.training.settings import Training
from spaces import EARLIER, SPACES, Space
from spaces.probe import probe
from spaces.restrict import read_only, restricted
from spaces.space import Trial

JOINT = SPACES["joint"]


def read(space: Space, **only: object) -> dict[str, Any]:
    return read_only(only, probe(space, "digits", 0), space.name)


def narrowed(only: Mapping[str, object], space: Space = JOINT) -> Space:
    found = read_only(only, probe(space, "digits", 0), space.name)
    return restricted(space, found, "digits", 0)


def asked(space: Space, count: int = 60) -> list[tuple[optuna.Trial, Recipe]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(count)]
    return [(trial, space.build(trial, "digits", 0)) for trial in trials]


def test_values_are_read_as_the_spaces_own() -> None:
    found = read(JOINT, distiller="kd, at", lr=".05", int8="FALSE", sparsity=".5,.9", width=[1.0])
    assert found == {
        "distiller": ("kd", "at"), "lr": (0.05,), "int8": (False,), "sparsity": (0.5, 0.9), "width": (1.0,)
    }  # fmt: skip


def test_a_value_with_commas_is_read_whole() -> None:
    assert read(EARLIER["slimnets2018"], way="gradual,distilled, gradual,distilled")["way"] == (
        "gradual",
        "distilled, gradual",
        "distilled",
    )


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        ({"distillers": "kd"}, "only: unknown choice 'distillers', those of joint are .*distiller"),
        ({"distiller": "kd,dk"}, "only: distiller must be one of .*kd.*, got 'dk'"),
        ({"distiller": ["dk"]}, "only: distiller must be one of .*kd.*, got 'dk'"),
        ({"distiller": []}, "only: distiller must keep one of .*kd.*, got none"),
        ({"sparsity": "1.5"}, r"only: sparsity must be a number in \[0, 0.95\], got '1.5'"),
        ({"sparsity": "half"}, r"only: sparsity must be a number in \[0, 0.95\], got 'half'"),
        ({"int8": "maybe"}, "only: int8 must be one of False, True, got 'maybe'"),
        ({"order": "prune", "teacher": "cnn"}, "only: teacher must be asked for beside the other choices, got --only"),
    ],
)
def test_restrictions_the_space_does_not_know_are_refused(only: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        narrowed(only)


def test_a_space_of_which_no_recipe_is_left_is_refused() -> None:
    def build(trial: Trial, task: str, seed: int) -> Recipe:
        epochs = trial.suggest_categorical("epochs", (0, 1))
        return Recipe(task, Model("cnn"), (Train(Training(epochs=epochs)),), seed=seed)

    with pytest.raises(RecipeError, match="only: a recipe of few must be left, got none with --only epochs=0: "):
        narrowed({"epochs": "0"}, Space("few", build, Model("cnn"), ""))


def test_every_recipe_of_a_restricted_space_keeps_to_the_values() -> None:
    space = narrowed({"order": "distill-prune,prune", "distiller": "kd,at", "sparsity": ".6,.9", "pruner": "fpgm"})
    made = asked(space)
    for trial, recipe in made:
        first, cut = recipe.stages[:2]
        assert not isinstance(first, Distill) or first.method.name in ("kd", "at")
        assert isinstance(cut, Prune)
        assert (cut.method.name, cut.sparsity in (0.6, 0.9)) == ("fpgm", True)
        assert trial.distributions["order"].choices == ("distill-prune", "prune")  # type: ignore[attr-defined]
    assert {recipe.stages[1].sparsity for _, recipe in made} == {0.6, 0.9}  # type: ignore[attr-defined]


def test_the_place_on_the_curve_is_asked_as_before_and_told_as_taken() -> None:
    space = narrowed({"sparsity": ".5,.9", "int8": "true", "order": "prune", "pruner": "fpgm"})
    for trial, recipe in asked(space, 20):
        assert (trial.distributions["sparsity"].low, trial.distributions["sparsity"].high) == (0.0, 0.95)  # type: ignore[attr-defined]
        assert set(trial.distributions["int8"].choices) == {False, True}  # type: ignore[attr-defined]
        settled = space.settle(trial.params)
        assert settled["sparsity"] == recipe.stages[1].sparsity  # type: ignore[attr-defined]
        assert settled["int8"] is True
        assert len(recipe.stages) == 3


def test_beginnings_with_other_values_are_left_out() -> None:
    assert len(JOINT.beginnings) == 3
    assert narrowed({"order": "prune,distill-prune"}).beginnings == JOINT.beginnings[:2]
    assert narrowed({"distiller": "at"}).beginnings == (JOINT.beginnings[0], JOINT.beginnings[2])


def test_without_restrictions_the_space_is_the_same() -> None:
    assert restricted(JOINT, {}, "digits", 0) is JOINT
