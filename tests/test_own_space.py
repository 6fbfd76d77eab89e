"""A user's own space, a grid and given recipes through the command: real searches, resumed, and refused."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import paretune
import paretune.cli
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from spaces import Space
from spaces.space import Trial

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "spaces.md").read_text()
(MY_SPACE,) = re.findall(r"`my_space.py` is\n\n```python\n(.*?)```", PAGE, re.DOTALL)
(COMMAND,) = re.findall(r"paretune (search --name mine .*)\n", PAGE)
QUICK = MY_SPACE.replace("epochs=20", "epochs=1").replace("2, 6, step=2", "1, 2")
GRID = ("--sampler", "grid", "--only", "lr=.05", "--only", "epochs=1", "--only", "width=.25")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder has the documents' `my_space.py`, with trainings of an epoch; its home is `home`."""
    where = tmp_path_factory.mktemp("user")
    (where / "my_space.py").write_text(QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("PARETUNE_HOME", str(where / "home"))
        yield where
        sys.modules.pop("my_space", None)


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `paretune` with these words in this process: exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paretune", *map(str, words)])
        capfd.readouterr()
        return (paretune.cli.run(), *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def mine(folder: Path) -> str:
    """The study of the documents' command, with three trials."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["paretune", *COMMAND.replace("--trials 6", "--trials 3").split()])
        assert paretune.cli.run() == 0
    return "mine"


@pytest.fixture(scope="module")
def grid(folder: Path) -> str:
    """A grid of two recipes over the same space, with two seeds."""
    with pytest.MonkeyPatch.context() as patch:
        words = ["search", "--name", "grid", "--space", "my_space.py:SPACE", *GRID, "--seeds", "2"]
        patch.setattr(sys, "argv", ["paretune", *words])
        assert paretune.cli.run() == 0
    return "grid"


def assert_refused(said: tuple[int, str, str], sentence: str) -> None:
    """Exit code 2, nothing on standard output, one sentence with these words on standard error."""
    code, out, err = said
    assert (code, out) == (2, ""), said
    assert re.search(sentence, err), err
    assert err.startswith("paretune: ")
    assert err.count("\n") == 1


def test_a_study_of_a_users_space_begins_with_the_spaces_own_teacher(mine: str) -> None:
    record = paretune.open_study(mine)
    assert record.space == "my_space.py:SPACE"
    assert len(record.trials) == 3
    assert {trial.status for trial in record.trials} == {"complete"}
    first = Recipe.from_json(record.trials[0].recipe)
    assert (first.student, first.stages) == (Model("cnn"), (Train(Training(epochs=1, lr=0.1)),))
    assert set(record.trials[1].choices) == {"distiller", "width", "lr", "epochs"}


def test_a_study_of_a_users_space_is_resumed_and_refused_once_the_source_has_changed(
    mine: str, call: Call, folder: Path
) -> None:
    words = (*COMMAND.replace("--trials 6", "--trials 4").split(), "--resume")
    assert call(*words)[0] == 0
    assert len(paretune.open_study(mine).trials) == 4
    (folder / "my_space.py").write_text(QUICK + "\n# another source\n")
    assert_refused(call(*words), "study mine: its space my_space.py:SPACE must be as it was .* got another source")
    (folder / "my_space.py").write_text(QUICK)
    other = [word.replace("my_space.py:SPACE", "joint") for word in words]
    assert_refused(call(*other), "study mine: was begun with space 'my_space.py:SPACE', got 'joint'")


def test_a_grid_gives_every_recipe_all_seeds(grid: str) -> None:
    trials = paretune.trials(grid)
    asked = [(one.choices["distiller"], one.recipe["seed"]) for one in trials if "distiller" in one.choices]
    assert sorted(asked) == [("at", 0), ("at", 1), ("kd", 0), ("kd", 1)]
    assert sorted(trial.recipe["seed"] for trial in trials) == [0, 0, 0, 1, 1, 1]  # type: ignore[type-var]
    assert {trial.status for trial in trials} == {"complete"}


def test_a_grid_is_resumed_without_its_restrictions_and_refuses_others(grid: str, call: Call) -> None:
    words = ("search", "--name", "grid", "--space", "my_space.py:SPACE", "--resume")
    code, _, err = call(*words)
    assert code == 0
    assert "grid: 2 recipes of my_space.py:SPACE, after the unpruned cnn" in err
    assert len(paretune.trials(grid)) == 6
    assert_refused(
        call(*words, "--only", "width=.5"), "study grid: was begun with only lr=0.05 .*, got width=0.5; begin"
    )


def test_the_recipe_of_a_point_gives_the_same_point(grid: str, call: Call, folder: Path) -> None:
    point = paretune.trials(grid)[1].points[-1]
    code, out, _ = call("recipe", grid, point.id[:8])
    assert (code, json.loads(out)) == (0, point.recipe)
    (folder / "small.json").write_text(out)
    code, out, err = call("run", "small.json", "--name", "again")
    assert code == 0, err
    assert "grid: 1 recipe of recipes, after the unpruned cnn" in err
    record = paretune.open_study("again")
    assert {one.id for one in paretune.trials(grid)[1].points} == {one.id for one in record.trials[1].points}
    assert [trial.choices for trial in record.trials] == [{}, {"name": "small"}]
    assert record.trials[1].spent.get("train", 0.0) == 0.0


@pytest.mark.slow
def test_an_export_runs_again_and_the_study_goes_on_without_files(grid: str, call: Call) -> None:
    assert call("select", grid, "--max-params", "1k", "--export", "out", "--format", "pt2")[0] == 0
    assert call("run", "out", "--name", "exported")[0] == 0
    card = json.loads(Path("out/card.json").read_text())
    assert card["point"]["id"] in {point.id for point in paretune.open_study("exported").points}
    code, _, err = call("run", "--name", "exported", "--resume", "--seeds", "2")
    assert code == 0, err
    seed = card["point"]["recipe"]["seed"]
    seeds = [trial.recipe["seed"] for trial in paretune.trials("exported")]
    assert sorted(seeds) == [seed, seed, seed + 1, seed + 1]  # type: ignore[type-var]
    Path("other.json").write_text(call("recipe", grid, card["point"]["id"])[1])
    assert_refused(
        call("run", "other.json", "--name", "exported", "--resume"), "was begun with the recipes out, got other"
    )
    assert_refused(call("search", "--name", "exported", "--resume"), "study exported: was begun by paretune run;")
    assert_refused(call("run", "out", "--name", grid, "--resume"), "study grid: must be of given recipes to be resumed")


@pytest.mark.slow
def test_a_reseed_needs_no_space(grid: str, call: Call, folder: Path) -> None:
    (folder / "my_space.py").rename(folder / "gone.py")
    try:
        code, _, err = call("select", grid, "--top", "1", "--reseed", "2")
    finally:
        (folder / "gone.py").rename(folder / "my_space.py")
    assert code == 0, err


def test_a_point_that_is_not_there_has_no_recipe(grid: str, call: Call) -> None:
    for word in ("", "zz"):
        sentence = f"recipe: the id of one point of grid must begin with '{word}', "
        assert_refused(call("recipe", grid, word), sentence)


def test_the_series_of_a_point_is_a_frame_and_a_table(grid: str, call: Call) -> None:
    point = paretune.trials(grid)[1].points[-1]
    found = paretune.series(grid, point.id[:8])
    assert list(found.columns)[:7] == ["step", "stage", "level", "epoch", "loss", "score", "lr"]
    assert found["stage"][0] == "distill"
    code, out, _ = call("series", grid, point.id[:8], "--json")
    assert (code, [row["epoch"] for row in json.loads(out)]) == (0, list(found["epoch"]))
    code, out, _ = call("series", grid, point.id[:8])
    assert code == 0
    assert "distill" in out
    assert_refused(call("series", grid, "zz"), "series: the id of one point of grid must begin with 'zz', none does")


def build(trial: Trial, task: str, seed: int) -> Recipe:
    width = trial.suggest_categorical("width", (0.25, 0.5))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=1)),), seed=seed)


def other(trial: Trial, task: str, seed: int) -> Recipe:
    width = trial.suggest_categorical("width", (0.25, 0.75))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=1)),), seed=seed)


@pytest.mark.slow
def test_a_space_and_recipes_of_a_notebook_are_searched_and_resumed(folder: Path) -> None:
    def space(function: Any) -> Space:
        return Space("notebook", function, Model("cnn", 0.5), "", schooling=Training(epochs=1))

    asked: dict[str, Any] = {"space": space(build), "show": False, "only": {"width": [0.25]}, "sampler": "grid"}
    first = paretune.search("notebook", **asked)
    assert [trial.choices for trial in first.trials] == [{}, {"width": 0.25}]
    assert len(paretune.search("notebook", **asked, resume=True).trials) == 2
    with pytest.raises(ValueError, match="study notebook: its space notebook must be as it was"):
        paretune.search("notebook", **{**asked, "space": space(other)}, resume=True)
    again = paretune.run(paretune.recipe("notebook", first.trials[1].points[0].id), "rerun", show=False)
    assert {point.id for point in again.points} <= {point.id for point in first.points}
