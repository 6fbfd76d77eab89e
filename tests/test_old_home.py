"""A home of earlier code: every verb prints the same figures as the earlier code did.

`fixtures/home-1.tar.xz` holds the home of a search of five trials (`cnn`, one epoch each) with the models of the front,
and `expected/`, the JSON output of `front`, `trials`, `breakpoints` and `select --max-params 1k` by the earlier code.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paretune
from compress.data.tasks import load_task
from compress.plan import plan
from compress.recipe import Recipe
from paretune import cli
from spaces.space import EFFORT, Effort

FIXTURE = Path(__file__).parent / "fixtures" / "home-1.tar.xz"
Call = Callable[..., str]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked fixture."""
    with tarfile.open(FIXTURE) as packed:
        packed.extractall(tmp_path_factory.mktemp("old"), filter="data")
    return tmp_path_factory.getbasetemp() / "old0" / "home-1"


@pytest.fixture
def call(old: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run a verb on the old home: what it prints on standard output."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["paretune", *words, "--home", str(old / "home")])
        capfd.readouterr()
        code = cli.run()
        said = capfd.readouterr()
        assert code == 0, said.err
        return said.out

    return run


ADDED = {"trials": ("ending",), "breakpoints": ("tolerance_point",)}
"""Fields of a row that versions since then have added."""


def without_paths(value: Any) -> Any:
    """JSON without the places of models, which lie where the home was unpacked."""
    if isinstance(value, dict):
        return {key: without_paths(one) for key, one in value.items() if key != "path"}
    return [without_paths(one) for one in value] if isinstance(value, list) else value


def expected(old: Path, verb: str) -> Any:
    return without_paths(json.loads((old / "expected" / f"{verb}.json").read_text()))


@pytest.mark.parametrize("verb", ["front", "trials", "breakpoints", "select"])
def test_a_verb_says_of_an_old_study_what_it_said_then(verb: str, call: Call, old: Path) -> None:
    budget = ["--max-params", "1k"] if verb == "select" else []
    now, then = without_paths(json.loads(call(verb, "old", *budget, "--json"))), expected(old, verb)
    if verb == "select":  # the same figures, in as many digits as everywhere
        assert then.pop("why") == "trial 2 at 45 %: .136 against .292 on validation, with 38 params more"
        assert (
            now.pop("why")
            == "point 2b39f67f (trial 2 at 45%): 0.1365 against 0.2925 on validation, with 38 params more"
        )
    for row in now if verb in ADDED else ():
        assert all(row.pop(name) for name in ADDED[verb])
        assert row.pop("knee_point", None) or row.get("knee") is None
    assert now == then


def test_recipes_and_steps_have_the_names_they_had(old: Path) -> None:
    study, task = paretune.open_study("old", old / "home"), load_task("digits")
    for trial in study.trials:
        steps = {step.key for step in plan(Recipe.from_json(trial.recipe), task.fingerprint)}
        assert {point.id for point in trial.points} <= steps


def test_a_model_of_an_old_store_is_exported_as_it_was_recorded(call: Call, tmp_path: Path) -> None:
    found = json.loads(call("select", "old", "--max-params", "1k", "--export", str(tmp_path / "out"), "--json"))
    assert found["export"]["accuracy"] == found["best"]["accuracy"]


def test_an_old_study_that_is_done_is_resumed_and_reported(
    call: Call, old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EFFORT, "digits", Effort(1, 1))
    models = ("--student", "cnn", "--teacher", "cnn")
    call("search", "--name", "old", "--trials", "5", "--seed", "1", "--resume", *models)
    call("report", "old", "--out", str(tmp_path / "report.html"))
    assert "<h1>old</h1>" in (tmp_path / "report.html").read_text()
    assert without_paths(json.loads(call("front", "old", "--json"))) == expected(old, "front")


@pytest.mark.slow
def test_an_old_study_goes_on_with_further_trials(call: Call, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EFFORT, "digits", Effort(1, 1))
    call("search", "--name", "old", "--trials", "7", "--seed", "1", "--resume")
    assert [trial.status for trial in paretune.open_study("old", old / "home").trials] == ["complete"] * 7
