"""An export measured on another machine: its maker's files lie elsewhere, and the task must mean the same."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compress.data.make_task import make_task
from compress.data.tasks import Task
from compress.errors import ExportError
from compress.export.evaluate_export import evaluate
from compress.export.formats import CARD, SEAL, export
from compress.goals import Classification, Goal, Regression, Segmentation
from compress.models import Model
from compress.own_code import whole_path
from compress.store.files import Files

DENSE = """
from torch import nn

def make(classes, channels):
    first = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    return nn.Sequential(first, nn.Conv2d(4, classes, 1))
"""
PIXELS = Segmentation(("ground", "thing"))
ANGLES = Regression(("yaw", "pitch"), unit="degrees")


def task_of(goal: Goal) -> Task:
    images = np.random.RandomState(0).randint(256, size=(40, 1, 8, 8)).astype(np.uint8)
    dark = images[:, 0] > 128
    targets: Any = dark.astype(np.int64) if goal.dense else dark.mean((1, 2))[:, None].repeat(goal.outputs, 1)
    if goal.softmax and not goal.dense:
        targets = np.arange(40) % 2
    return make_task(goal, (images, targets))


def exported(model: Model, goal: Goal, folder: Path) -> Path:
    task = task_of(goal)
    torch.manual_seed(0)
    module = model.build(task.outputs, task.channels).eval()
    files = Files.of(module, model, classes=task.outputs, channels=task.channels)
    return export(files, task, folder, {"goal": goal.as_json()}, ("pt2", "safetensors"))


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """An export of a user's network for pixels; the maker's file is gone, a copy lies in `here/`."""
    (tmp_path / "maker").mkdir()
    (tmp_path / "here").mkdir()
    maker = tmp_path / "maker" / "dense.py"
    maker.write_text(DENSE)
    folder = exported(Model(whole_path("student", f"{maker}:make")), PIXELS, tmp_path / "out")
    shutil.move(maker, tmp_path / "here" / "dense.py")
    return folder


def test_a_copy_of_the_makers_file_stands_for_the_file(taken: Path) -> None:
    found = evaluate(taken, task_of(PIXELS), networks=[f"{taken.parent}/here/dense.py:make"])
    assert found["params"] > 0
    assert [form["agreement"] for form in found["formats"].values()] == [1.0, 1.0]


def test_without_the_file_the_note_asks_for_a_copy_and_the_forms_are_measured(
    taken: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = evaluate(taken, task_of(PIXELS), networks=[f"{taken.parent}/here/other.py:make"])
    assert "say --network PATH/dense.py:make, where the file is here" in caplog.text
    assert "params" not in found
    assert found["miou"].keys() == {"validation", "test"}


def test_a_copy_that_makes_another_network_is_refused(taken: Path) -> None:
    other = taken.parent / "here" / "dense.py"
    other.write_text("from torch import nn\ndef make(classes, channels): return nn.Flatten()\n")
    with pytest.raises(ExportError, match=r"dense.py:make must make the network of .*/out, it does not: "):
        evaluate(taken, task_of(PIXELS), networks=[f"{other}:make"])


def test_a_task_by_another_goal_is_refused_though_images_and_classes_are_the_same(taken: Path) -> None:
    with pytest.raises(
        ExportError,
        match=r"is for images 1 x 8 x 8 of 2 classes of pixels \(ground, thing\), "
        r"task has images 1 x 8 x 8 of 2 classes \(ground, thing\)$",
    ):
        evaluate(taken, task_of(Classification(("ground", "thing"))))


@pytest.mark.parametrize(
    ("goal", "got"),
    [
        (Regression(("yaw",), unit="degrees"), r"1 value \(yaw\) in degrees"),
        (Regression(("pitch", "yaw"), unit="degrees"), r"2 values \(pitch, yaw\) in degrees"),
        (Regression(("yaw", "pitch"), unit="radians"), r"2 values \(yaw, pitch\) in radians"),
    ],
)
def test_a_regression_is_measured_on_the_values_it_was_made_for_alone(goal: Goal, got: str, tmp_path: Path) -> None:
    folder = exported(Model("cnn", 0.5), ANGLES, tmp_path / "out")
    assert evaluate(folder, task_of(ANGLES))["formats"]["pt2"]["compares"] == "values"
    with pytest.raises(
        ExportError, match=rf"of 2 values \(yaw, pitch\) in degrees, task has images 1 x 8 x 8 of {got}$"
    ):
        evaluate(folder, task_of(goal))


@pytest.mark.parametrize("goal", [None, "regression", {"name": ["x"], "names": 7}, {"outputs": 9}])
def test_a_card_with_an_odd_goal_is_measured_or_refused(goal: object, tmp_path: Path) -> None:
    folder = exported(Model("cnn", 0.5), Classification(("a", "b")), tmp_path / "out")
    card = json.loads((folder / CARD).read_text())
    del card[SEAL]
    (folder / CARD).write_text(json.dumps({**card, "goal": goal}))
    task = task_of(Classification(("a", "b")))
    if isinstance(goal, dict):
        with pytest.raises(ExportError, match=r"is for images 1 x 8 x 8 of .* outputs, task has images"):
            evaluate(folder, task)
    else:
        assert evaluate(folder, task)["accuracy"]
