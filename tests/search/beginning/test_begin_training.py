"""Settings of trainings as a study is begun or goes on: kept, and refused where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.measurement import Measurement
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.optimizers import own_optimizer_source
from compress.training.settings import Training
from search.beginning.begin_training import Checked, announced, check_trainings, trainings_of
from search.settings import Settings
from search.study.names import StudyError
from search.study.record import point_event
from search.study.study import Study
from search.study_file import read
from search.study_options import arguments_of, described, header_entry
from spaces import SPACES, Space
from spaces.restrict import restricted
from spaces.space import Trial
from spaces.study_training import StudyTraining

HEADER: dict[str, Any] = {
    "task": "digits",
    "space": "joint",
    "objectives": ["accuracy", "params"],
    "seed": 0,
    "reference_point": {"accuracy": 0.0, "params": 9.0},
}
MODULE = "from torch.optim import {name} as make\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of an optimizer of one's own."""
    (tmp_path / "begin_own.py").write_text(MODULE.format(name="SGD"))
    monkeypatch.syspath_prepend(str(tmp_path))
    return "begin_own:make"


@pytest.fixture
def narrow() -> Space:
    """The joint space over one small network."""
    given = SPACES["joint"].given
    assert given is not None
    return given((Model("cnn", 0.25),), ())


def begun(home: Path, **settings: Any) -> Study:
    """A study that was begun with these settings, as read again."""
    asked = Settings("b", home=home, **settings)
    trainings, study = asked.trainings, Study(home, "b")
    sources = {path: own_optimizer_source(path) for path in trainings.own_optimizers}
    study.begin(**HEADER, **trainings.as_json(), optimizers=sources, **header_entry(asked))
    return Study(home, "b")


def test_a_study_goes_on_with_the_trainings_it_was_begun_with(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {"epochs": 3, "decay": "step", "drops": ("1/3",), "recovery_lr": 0.01}
    study = begun(tmp_path, **wanted)
    expected = Settings("b", **wanted).trainings
    assert trainings_of(study, Settings("b", home=tmp_path)) == expected
    assert trainings_of(study, Settings("b", home=tmp_path, **wanted)) == expected


def test_other_trainings_are_refused(tmp_path: Path) -> None:
    study = begun(tmp_path, epochs=3)
    assert study.record.settings_said == "training: epochs 3"
    sentence = "study b: was begun with training: epochs 3, got training: epochs 4; begin a new study"
    with pytest.raises(StudyError, match=sentence):
        trainings_of(study, Settings("b", home=tmp_path, epochs=4))


def test_a_study_begun_without_is_refused_with(tmp_path: Path) -> None:
    sentence = "was begun with the trainings of its space, got recovery: epochs 1"
    with pytest.raises(StudyError, match=sentence):
        trainings_of(begun(tmp_path), Settings("b", home=tmp_path, recovery_epochs=1))


def test_an_own_optimizer_that_has_changed_is_refused(
    tmp_path: Path, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begun(tmp_path, optimizer=own, lr=0.1)
    assert trainings_of(study, Settings("b", home=tmp_path)).own_optimizers == (own,)
    monkeypatch.setattr("search.beginning.begin_training.own_optimizer_source", lambda path: "another")
    with pytest.raises(StudyError, match=f"study b: {own} must be as it was when the study was begun, got another"):
        trainings_of(study, Settings("b", home=tmp_path))


def test_a_ledger_names_no_optimizer_unknown_to_its_header(tmp_path: Path) -> None:
    study = begun(tmp_path, epochs=3)
    recipe = Recipe("digits", Model("cnn"), (Train(Training(epochs=3, optimizer="os:system")),))
    study.ask(recipe.as_json(), {}, None)
    with pytest.raises(StudyError, match="begun with the optimizer 'os:system', whose code would run"):
        Study(tmp_path, "b")


def test_a_space_that_can_make_no_recipe_is_refused(narrow: Space, digits: Task) -> None:
    for told in (StudyTraining({"warmup": 60.0}), StudyTraining({}, {"warmup": 10.0})):
        with pytest.raises(RecipeError, match=r"warmup must be shorter than the [16]0 epochs of the training"):
            check_trainings(told.around(narrow), digits, 0, {})


def test_an_own_optimizer_is_tried_on_the_teacher(own: str, narrow: Space, digits: Task) -> None:
    fine = StudyTraining({"optimizer": own, "lr": 0.1})
    assert list(check_trainings(fine.around(narrow), digits, 0, {}).sources) == [own]
    broken = StudyTraining({}, {"optimizer": "torch.optim:LBFGS", "lr": 0.1})
    with pytest.raises(RecipeError, match=r"torch.optim:LBFGS: must make an optimizer when called as"):
        check_trainings(broken.around(narrow), digits, 0, {})


@pytest.mark.parametrize("space", ["joint", "malihi2023"])
def test_methods_that_settings_rule_out_are_named_where_the_space_has_them(space: str, digits: Task) -> None:
    plain, told = StudyTraining({"epochs": 3}), StudyTraining({"optimizer": "adamw"})
    assert check_trainings(plain.around(SPACES[space]), digits, 0, {}) == Checked((), {})
    said = announced(told, check_trainings(told.around(SPACES[space]), digits, 0, {}).refused)
    assert said.startswith("training: lr 0.001, weight-decay 0.01, optimizer adamw; recovery: weight-decay 0.01, optim")
    sentence = "; left out: prune: resrep works by the size of gradients, so the recovery's optimizer must be sgd, got"
    assert (sentence in said) == (space == "joint")


def test_a_restricted_choice_must_be_possible_with_the_trainings(digits: Task) -> None:
    adam, only = StudyTraining({"optimizer": "adamw"}), {"pruner": ("resrep",)}
    space = adam.around(restricted(SPACES["joint"], only, "digits", 0))
    with pytest.raises(RecipeError, match="only: pruner must keep a value that makes a recipe, got resrep: prune: res"):
        check_trainings(space, digits, 0, only)
    both = {"pruner": ("resrep", "fpgm")}
    space = adam.around(restricted(SPACES["joint"], both, "digits", 0))
    assert check_trainings(space, digits, 0, both).refused


def test_a_study_says_the_options_that_would_repeat_it(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "trials": 5,
        "seeds": 2,
        "optimizer": "adamw",
        "recovery_epochs": 2,
        "whole_curves": True,
    }
    study = begun(tmp_path, **options)
    again = Settings(**arguments_of(study))
    assert again.trainings == Settings("b", **options).trainings
    assert (again.trials, again.seeds, again.whole_curves) == (5, 2, True)
    found = described(study)
    assert found["options"]["training"]["optimizer"] == "adamw"
    assert "[recovery]\nepochs = 2\n" in found["toml"]


def test_an_optimizer_of_a_space_of_ones_own_is_known_to_the_header(own: str, digits: Task) -> None:
    def build(trial: Trial, task: str, seed: int) -> Recipe:
        rate = float(trial.suggest_categorical("lr", (0.1, 0.2)))
        return Recipe(task, Model("cnn", 0.25), (Train(Training(epochs=1, lr=rate, optimizer=own)),), seed=seed)

    space = Space("mine", build, Model("cnn", 0.25), "")
    assert list(check_trainings(space, digits, 0, {}).sources) == [own]


def test_restrictions_and_a_grid_are_repeated(tmp_path: Path) -> None:
    study = Study(tmp_path, "b")
    only = {"recovery distiller": ["kd", "at"], "sparsity": [0.5]}
    study.begin(**HEADER, sampler="grid", only=only)
    text = described(Study(tmp_path, "b"))["toml"]
    (tmp_path / "s.toml").write_text(text)
    again = Settings(**read(tmp_path / "s.toml", Settings))
    assert (again.only, again.sampler, again.trials) == (only, "grid", None)


def test_a_study_of_given_recipes_says_the_commands_that_repeat_it(tmp_path: Path) -> None:
    recipe = Recipe("digits", Model("cnn"), (Train(Training(epochs=1)),)).as_json()
    study = Study(tmp_path, "b")
    study.begin(**HEADER, recipes={"small": recipe, "other": {**recipe, "seed": 1}}, options={"seeds": 3})
    study.ask(recipe, {"name": "small"}, None)
    measured = Measurement(0.5, 0.4, 10, 9, 100, 1000, 900, 1.0, 2.0, "cpu", 1, 3.0)
    study.add(0, point_event("ab1", 0.0, "float", measured))
    assert described(Study(tmp_path, "b"))["toml"].splitlines() == [
        "# no study file repeats the study b: its recipes were given to paretune run",
        "# paretune recipe b ab1 > small.json",
        "# other has no point yet: its recipe is in the study's ledger.jsonl alone",
        "# paretune run small.json other.json --name b-again --objectives accuracy,params --seeds 3",
    ]
