"""The verbs that look at stored models, as functions and as commands, on a study of real models."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paretune
import paretune.cli
from compress.data.tasks import Task, load_task
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import L1Filter, L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.bucket import open_store
from compress.training.settings import Training
from search.study.study import Study, point_event

ONCE = Training(epochs=1)
Typed = Callable[..., str]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study `s` of digits: the plain teacher, then two points of a cut and two of a masked cnn."""
    task: Task = load_task("digits")
    study = Study(tmp_path_factory.mktemp("home"), "s")
    study.begin(
        task="digits",
        space="joint",
        objectives=["accuracy", "params"],
        seed=0,
        reference_point={},
        fingerprint=task.fingerprint,
    )
    model, train = Model("cnn", 0.25), Train(Training(epochs=3))
    pruned = [Prune(method, 0.6, OneShot(2), Recovery(ONCE)) for method in (L1Filter(), L1Unstructured())]
    recipes = [Recipe("digits", model, (train, *stages)) for stages in ((), pruned[:1], pruned[1:])]
    for number, recipe in enumerate(recipes):
        study.ask(dict(recipe.as_json()), {}, None)
        for made in Pipeline(task, open_store(study.store)).run(recipe):
            study.add(number, point_event(made.key, made.sparsity, made.variant, made.measured))
        study.end(number, "complete", "", 1.0, {})
    return study


@pytest.fixture
def typed(looked: Study, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Standard output of the command, which must succeed."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["paretune", *words, "--home", str(looked.home)])
        capfd.readouterr()
        code = paretune.cli.run()
        out, err = capfd.readouterr()
        assert code == 0, err
        return out

    return run


def ids(looked: Study, trial: int) -> list[str]:
    return [point.id for point in looked.record.trials[trial].points if point.sparsity]


def test_the_clean_figure_is_the_one_of_the_ledger_and_corrupted_ones_are_worse(looked: Study) -> None:
    found = paretune.robustness("s", "teacher", severity=5, home=looked.home)
    teacher = looked.record.teacher
    assert teacher is not None
    assert found["point"] == teacher.id
    assert found["clean"] == pytest.approx(teacher.measured.score_test)
    assert all(value < found["clean"] for value in found["corrupted"].values())


def test_the_command_tells_the_same_as_the_function_in_words_and_as_json(looked: Study, typed: Typed) -> None:
    key, words = ids(looked, 1)[0], ("robustness", "s", "teacher", ids(looked, 1)[0][:10], "--corrupt", "occlusion")
    wanted = [paretune.robustness("s", point, ["occlusion"], 2, home=looked.home) for point in ("teacher", key)]
    assert json.loads(typed(*words, "--severity", "2", "--json")) == wanted
    told = typed(*words, "--severity", "2")
    assert "s: accuracy on 359 test images, corrupted at severity 2 of 5" in told
    assert f"{wanted[1]['corrupted']['occlusion']:.4f}" in told


def test_an_export_and_its_card_carry_the_figures_of_corrupted_images(
    looked: Study, typed: Typed, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told = typed("select", "s", "--export", str(out), "--corrupt", "brightness,occlusion", "--severity", "4")
    card: dict[str, Any] = json.loads((out / "card.json").read_text())
    found = card["measured"]["robustness"]
    wanted = paretune.robustness("s", card["point"]["id"], ["brightness", "occlusion"], 4, home=looked.home)
    assert found == {name: value for name, value in wanted.items() if name in found}
    assert f"test accuracy at severity 4: clean {found['clean']:.4f}, brightness" in told
    text = (out / "card.md").read_text()
    assert "359 test images, corrupted at severity 4 of 5" in text
    assert f"| occlusion | {found['corrupted']['occlusion']:.4f} |" in text
    again = paretune.evaluate(out, corrupt=["occlusion"], severity=4)
    assert again["robustness"]["corrupted"] == {"occlusion": found["corrupted"]["occlusion"]}
    assert "robustness" not in paretune.evaluate(out)
