"""Results are recorded once a recipe, read again, and never trained where only a report is wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.goals.record import Missing, Record
from compress.data.tasks import Task
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training


def recipe(lr: float = 0.05) -> Recipe:
    return Recipe("digits", Model("cnn", 0.25), (Train(Training(epochs=1, lr=lr, batch_size=32)),), seed=3)


def test_a_recipe_is_carried_out_once_and_read_from_the_file_again(tiny: Task, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    made = Record(file, tmp_path).carried_out(tiny, "plain", recipe())
    (line,) = map(json.loads, file.read_text().splitlines())
    assert (line["label"], line["seed"], line["broken"]) == ("plain", 3, "")
    assert Record(file).carried_out(tiny, "plain", recipe()) == made
    with pytest.raises(Missing):
        Record(file).carried_out(tiny, "plain", recipe(lr=0.01))


def test_a_training_that_breaks_is_a_line_without_points(tiny: Task, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    made = Record(file, tmp_path).carried_out(tiny, "plain", recipe(lr=1e30))
    assert made.points == ()
    assert made.value("mae_test") is None
    assert "too high" in json.loads(file.read_text())["broken"]
