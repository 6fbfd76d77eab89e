"""A user's own space: found by its path, watched while it builds, refused in a sentence when at fault."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from compress.errors import RecipeError
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from spaces import Space
from spaces.own import is_path, load, path_of, title, watched
from spaces.probe import check_placed, probe
from spaces.space import Trial

HEAD = """
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from spaces import Space
"""
SPACE = (
    HEAD
    + """
from neighbour import EPOCHS
def build(trial, task, seed):
    epochs = trial.suggest_categorical("epochs", EPOCHS)
    return Recipe(task, Model("cnn", 0.25), (Train(Training(epochs=epochs)),), seed=seed)
SPACE = Space("mine", build, Model("cnn", 0.5), "", schooling=Training(epochs=3))
"""
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `my_space.py` and its neighbour; modules imported by the test are forgotten afterwards."""
    (tmp_path / "my_space.py").write_text(SPACE)
    (tmp_path / "neighbour.py").write_text("EPOCHS = (1, 2)")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("my_space", "neighbour", "own_search", "own_json"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def forget(*names: str) -> None:
    for name in names:
        sys.modules.pop(name, None)


def test_a_space_is_loaded_from_a_file_and_its_neighbours(folder: Path) -> None:
    space, _ = load(f"{folder}/my_space.py:SPACE")
    assert space.name == "my_space.py:SPACE"
    assert {r.stages[0].training.epochs for r in probe(space, "digits", 7).recipes.values()} == {1, 2}  # type: ignore[attr-defined]
    assert space.baseline("digits", 0).stages == (Train(Training(epochs=3)),)
    forget("my_space", "neighbour")


def test_a_space_is_loaded_from_a_module(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert load("my_space:SPACE")[0].name == "my_space:SPACE"
    forget("my_space", "neighbour")


@pytest.mark.parametrize("name", ["search", "json"])
def test_a_file_named_like_another_module_takes_nothing_from_it(folder: Path, name: str) -> None:
    (folder / f"{name}.py").write_text(SPACE)
    before = sys.modules[name]
    assert load(f"{folder}/{name}.py:SPACE")[0].name == f"{name}.py:SPACE"
    assert sys.modules[name] is before
    forget("neighbour", f"own_{name}")


def test_the_source_is_that_of_the_file_and_its_neighbours_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    prints = []
    for place, neighbour, space in (("a", "1, 2", SPACE), ("b", "1, 2", SPACE), ("c", "1, 3", SPACE)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "my_space.py").write_text(space)
        (tmp_path / place / "neighbour.py").write_text(f"EPOCHS = ({neighbour})\ndef used(): ...")
        (tmp_path / place / "my_space.py").write_text(space + "from neighbour import used\n")
        sys.path[:] = [path for path in sys.path if str(tmp_path) not in path]
        forget("my_space", "neighbour")
        prints.append(load(f"{tmp_path}/{place}/my_space.py:SPACE")[1])
    forget("my_space", "neighbour")
    assert prints[0] == prints[1] != prints[2]


def test_paths_are_told_from_names() -> None:
    assert [is_path(name) for name in ("joint", "a.b:C", "x.py:C", "x.py")] == [False, True, True, True]
    assert title("/some/where/my_space.py:SPACE") == "my_space.py:SPACE"
    assert path_of("my_space.py:SPACE") == f"{Path.cwd()}/my_space.py:SPACE"
    assert path_of("a.b:C") == "a.b:C"


@pytest.mark.parametrize("path", ["my_space.py", "my_space.py:", "my_space.py:a b", "a/b:C", ":C", "a.b:1"])
def test_another_form_is_refused(path: str) -> None:
    with pytest.raises(RecipeError, match=r"space: must be named as FILE\.py:NAME or package\.module:NAME, got"):
        path_of(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("raise OSError('no disk')", "my_space.py must be a file of Python, got OSError: no disk"),
        ("def (", "my_space.py must be a file of Python, got SyntaxError"),
        ("import torch; torch.set_default_dtype(torch.float64)", "its module must leave torch's settings as they are"),
        ("exit(3)", "my_space.py must be a file of Python, got SystemExit: 3"),
        ("", "must be a Space, got nothing; the spaces of my_space: none"),
        ("def SPACE(): ...", "must be a Space, got a function; the spaces of my_space: none"),
        (SPACE.replace("SPACE =", "OTHER ="), "must be a Space, got nothing; the spaces of my_space: OTHER"),
        (SPACE.replace('Model("cnn", 0.5)', '"cnn"'), "teacher must be a Model, got 'cnn'"),
        (
            SPACE.replace("schooling=Training(epochs=3)", "teachers_by_task=5"),
            "teachers_by_task must be a Mapping, got 5",
        ),
        (
            SPACE.replace("schooling=Training(epochs=3)", "teachers_by_task={'digits': 'cnn'}"),
            "a teacher of a task must be a Model, got 'cnn'",
        ),
        (SPACE.replace('"mine", build', '"mine", 5'), "build must be a function, got 5"),
        (SPACE.replace("schooling=Training(epochs=3)", "beginnings=5"), "beginnings must be a tuple or a list, got 5"),
    ],
)
def test_a_file_without_a_space_is_refused(folder: Path, text: str, sentence: str) -> None:
    (folder / "my_space.py").write_text(text)
    with pytest.raises(RecipeError) as told:
        load(f"{folder}/my_space.py:SPACE")
    forget("my_space", "neighbour")
    assert str(told.value).startswith("space my_space.py:SPACE: ")
    assert sentence in str(told.value)


def test_a_file_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"gone\.py must be a file of Python, got FileNotFoundError"):
        load(f"{folder}/gone.py:SPACE")


def recipe(task: str = "digits", seed: int = 0) -> Recipe:
    return Recipe(task, Model("cnn"), (Train(),), seed=seed)


def for_ever(trial: Trial, *_: object) -> Recipe:
    while trial.suggest_float("x", 0, 1) < 2:
        pass
    return recipe()


count = itertools.count()
FAULTS: list[tuple[Callable[..., Any], str]] = [
    (lambda *_: 1 / 0, "must return a recipe, got ZeroDivisionError: division by zero"),
    (lambda *_: sys.exit("enough"), "must return a recipe, got SystemExit: enough"),
    (lambda *_: None, "must return a Recipe, got a NoneType"),
    (lambda *_: recipe("cifar10"), "must pass the task 'digits' on to its recipes, got 'cifar10'"),
    (lambda *_: recipe(seed=5), "must pass the seed 0 on to its recipes, got 5"),
    (lambda *_: Recipe("digits", Model("cnn"), ()), "recipe: the first stage must be train or distill, got no stage"),
    (lambda trial, *_: trial.suggest_categorical("x", ()), "x: choices must have a value, got none"),
    (lambda trial, *_: trial.suggest_categorical(5, (1, 2)), "a choice must be named by text, got 5"),
    (lambda trial, *_: trial.suggest_uniform("x", 0, 1), "got AttributeError: "),
    (for_ever, "must ask at most 1000 questions for a recipe, got more; x has the same answer every time"),
]


@pytest.mark.parametrize(("build", "sentence"), FAULTS)
def test_a_fault_of_a_space_is_one_sentence_to_optuna_and_to_the_probe(build: Any, sentence: str) -> None:
    space = watched(Space("s", build, Model("cnn"), ""), "s")
    trial: Any = optuna.create_study(sampler=optuna.samplers.RandomSampler()).ask()
    with pytest.raises(RecipeError) as told:
        space.build(trial, "digits", 0)
    for error in (str(told.value), *probe(space, "digits", 0).errors[:1]):
        assert error.startswith("space s: ")
        assert sentence in error


def test_an_error_of_the_trial_itself_stays_as_it_is() -> None:
    class Broken:
        def suggest_categorical(self, name: str, choices: Any) -> Any:
            raise OSError("the database is gone")

    space = watched(Space("s", lambda trial, *_: trial.suggest_categorical("x", (1,)), Model("cnn"), ""), "s")
    broken: Any = Broken()
    with pytest.raises(OSError, match="the database is gone"):
        space.build(broken, "digits", 0)


def test_what_optuna_refuses_is_said() -> None:
    sizes = itertools.count(1)
    space = watched(
        Space("s", lambda trial, *_: trial.suggest_categorical("x", tuple(range(next(sizes)))), Model("cnn"), ""), "s"
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
    asked: list[Any] = [study.ask(), study.ask()]
    study_errors = []
    for trial in asked:
        with pytest.raises(RecipeError) as told:
            space.build(trial, "digits", 0)
        study_errors.append(str(told.value))
    assert study_errors == [
        "space s: must return a Recipe, got a int",
        "space s: CategoricalDistribution does not support dynamic value space.",
    ]


def test_the_same_choices_must_make_the_same_recipe() -> None:
    space = watched(Space("s", lambda _, task, seed: Recipe(
        task, Model("cnn"), (Train(Training(epochs=1 + next(count))),), seed=seed), Model("cnn"), ""), "s")  # fmt: skip
    with pytest.raises(RecipeError, match="space s: must make the same recipe of the same choices, got two of"):
        probe(space, "digits", 0)


def test_a_name_must_stand_for_the_same_values() -> None:
    def build(trial: Trial, task: str, seed: int) -> Recipe:
        most = trial.suggest_categorical("most", (2, 3))
        return Recipe(task, Model("cnn"), (Train(Training(epochs=trial.suggest_int("epochs", 1, most))),), seed=seed)

    with pytest.raises(RecipeError, match="space s: epochs must be the same question every time, got a whole"):
        probe(watched(Space("s", build, Model("cnn"), ""), "s"), "digits", 0)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda trial: trial.suggest_categorical("sparsity", (0.5, 0.9)), "must be asked by suggest_float within"),
        (lambda trial: trial.suggest_float("sparsity", 0, 1), "must be asked by suggest_float within"),
        (
            lambda trial: trial.suggest_categorical("int8", ("yes", "no")),
            "must be asked among False, True, got one of yes, no",
        ),
    ],
)
def test_the_place_on_a_curve_must_be_one(ask: Callable[[Any], object], sentence: str) -> None:
    def build(trial: Trial, task: str, seed: int) -> Recipe:
        ask(trial)
        return recipe(task, seed)

    with pytest.raises(RecipeError, match=sentence):
        check_placed("s", probe(Space("s", build, Model("cnn"), ""), "digits", 0).questions)
