"""A study from a file, typed as a user would: begun, shown, gone on with, and begun again from what it shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import paretune
import paretune.cli
from compress.recipe import Recipe
from compress.stages import Recovery
from compress.training.settings import Training

FILE = """
name = "filed"
trials = 3
sampler = "random"
student = ["cnn"]
teacher = "cnn"
max-params = "90%"

[training]
epochs = 2
optimizer = "quick_optimizer:make"
lr = 0.02
warmup = 0.5

[recovery]
epochs = 1
ema = 0.9
"""
OPTIMIZER = "from torch.optim import NAdam as make\n"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder of a user, with a file of two trials that has been searched with."""
    folder = tmp_path_factory.mktemp("there")
    (folder / "quick_optimizer.py").write_text(OPTIMIZER)
    (folder / "study.toml").write_text(FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(sys, "argv", ["paretune", "search", "study.toml", "--trials", "2", "--home", "home"])
        assert paretune.cli.run() == 0
        yield folder


@pytest.fixture
def call(there: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `paretune` with these words in that folder."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paretune", *words, "--home", "home"])
        capfd.readouterr()
        return (paretune.cli.run(), *capfd.readouterr())

    return run


def trainings(recipe: Recipe) -> Iterator[tuple[bool, Training]]:
    for stage in recipe.stages:
        if stage.lesson is not None:
            yield isinstance(stage.lesson, Recovery), stage.lesson.training


def test_every_trial_is_trained_as_the_file_says(there: Path) -> None:
    record = paretune.open_study("filed", "home")
    assert [trial.status for trial in record.trials] == ["complete"] * 2, [trial.reason for trial in record.trials]
    for trial in record.trials:
        for recovers, training in trainings(Recipe.from_json(trial.recipe)):
            assert training.optimizer == "quick_optimizer:make"
            assert (training.epochs, training.warmup, training.ema) == ((1, 0, 0.9) if recovers else (2, 0.5, 0))
            assert recovers or training.lr == 0.02


def test_the_file_is_kept_and_the_study_says_what_would_repeat_it(there: Path, call: Call) -> None:
    assert (there / "home" / "studies" / "filed" / "study.toml").read_text() == FILE
    code, out, err = call("show", "filed", "--toml")
    assert (code, err) == (0, "")
    (there / "again.toml").write_text(out)
    found = json.loads(call("show", "filed", "--json")[1])
    assert found["toml"] == out
    assert (found["options"]["trials"], found["options"]["max-params"]) == (2, "90%")
    assert found["options"]["training"]["optimizer"] == "quick_optimizer:make"
    for part in ("filed", "complete 2", "quick_optimizer:make", "90%"):
        assert part in call("show", "filed")[1]
    code, _, err = call("search", "again.toml", "--name", "again")
    assert code == 0, err
    first, second = (paretune.open_study(name, "home") for name in ("filed", "again"))
    assert [trial.recipe for trial in first.trials] == [trial.recipe for trial in second.trials]


def test_a_study_goes_on_without_options_and_refuses_others(there: Path, call: Call) -> None:
    code, out, err = call("search", "--name", "filed", "--resume", "--epochs", "3")
    assert (code, out) == (2, "")
    assert "study filed: was begun with training: epochs 2, lr 0.02, optimizer quick_optimizer:make" in err
    assert "got training: epochs 3, lr 0.02, optimizer quick_optimizer:make" in err
    code, _, err = call("search", "study.toml", "--resume")
    assert code == 0, err
    assert len(paretune.open_study("filed", "home").trials) == 3
    code, _, err = call("search", "--name", "filed", "--resume", "--trials", "3")
    assert code == 0, err


def test_the_search_begins_with_a_line_on_its_trainings(there: Path, call: Call) -> None:
    code, _, err = call("search", "study.toml", "--name", "told", "--trials", "1")
    assert code == 0, err
    assert (
        "training: epochs 2, lr 0.02, optimizer quick_optimizer:make, warmup 0.5; recovery: epochs 1, optimizer" in err
    )
    assert "; left out: prune: resrep works by the size of gradients, so the recovery's optimizer must be sgd" in err


def test_json_and_toml_do_not_come_together(call: Call) -> None:
    assert call("show", "filed", "--toml", "--json")[::2] == (
        2,
        "paretune: show: json and toml must not come together, got both\n",
    )
