"""What is taken away is proven in a new process, against every figure of the record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compress.errors import ExportError
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.remote import open_store
from compress.stage import Prune, Recovery, Train
from compress.tasks import Task
from compress.training import Training
from search.record import Point
from search.study import Study, point_event
from search.takeaway import Mismatch, differences, take

ONCE = Training(epochs=1)
RECIPE = Recipe("digits", Model("cnn", 0.25), (Train(ONCE), Prune(L1Filter(), 0.5, OneShot(), Recovery(ONCE))))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, digits: Task) -> Study:
    """A study of one trial with two stored points."""
    study = Study(tmp_path_factory.mktemp("home"), "s")
    study.begin(task="digits", space="joint", objectives=["accuracy", "params"], seed=0, reference_point={})
    study.ask(dict(RECIPE.as_json()), {}, None)
    for point in Pipeline(digits, open_store(study.store)).run(RECIPE):
        study.add(0, point_event(point.key, point.sparsity, point.variant, point.measured))
    return study


@pytest.fixture
def fresh(made: Study) -> dict[str, Any]:
    """What a faithful export of the pruned point measures."""
    return {**made.record.points[1].as_json(), "program": {"agreement": 1.0}}


def taken(made: Study, point: Point, folder: Path) -> Any:
    return take(point, made.record, made.home, folder, {"max_params": "20k"}, None)


def test_an_export_measures_in_a_new_process_what_was_recorded(made: Study, tmp_path: Path) -> None:
    point = made.record.points[1]
    fresh = taken(made, point, tmp_path / "out")
    assert fresh["accuracy"] == point.as_json()["accuracy"]
    assert fresh["params"] == point.measured.params < made.record.points[0].measured.params
    assert fresh["program"]["agreement"] == 1.0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "card.json", "model.pt2", "model.safetensors", "structure.json",
    ]  # fmt: skip
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert (card["study"], card["task"], card["budget"]) == ("s", "digits", {"max_params": "20k"})
    assert card["point"]["id"] == point.id


def test_a_record_that_was_tampered_with_is_found_out(made: Study, tmp_path: Path) -> None:
    point = made.record.points[1]
    better = replace(point, measured=replace(point.measured, accuracy_test=1.0, params=5))
    with pytest.raises(Mismatch, match="is not what was recorded: params recorded 5, measured ") as caught:
        taken(made, better, tmp_path / "out")
    assert "test accuracy recorded 1.0, measured 0." in str(caught.value)


@pytest.mark.parametrize("name", ["params", "nonzero_params", "macs", "size_bytes"])
def test_every_count_is_compared(made: Study, fresh: dict[str, Any], name: str) -> None:
    point = made.record.points[1]
    recorded = getattr(point.measured, name)
    assert differences(point, fresh) == []
    assert differences(point, {**fresh, name: recorded + 1}) == [f"{name} recorded {recorded}, measured {recorded + 1}"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_both_accuracies_are_compared(made: Study, fresh: dict[str, Any], split: str) -> None:
    wrong = {**fresh, "accuracy": {**fresh["accuracy"], split: 0.0}}
    (sentence,) = differences(made.record.points[1], wrong)
    assert sentence.startswith(f"{split} accuracy recorded 0.")


def test_a_program_that_answers_differently_is_named(made: Study, fresh: dict[str, Any]) -> None:
    wrong = {**fresh, "program": {"agreement": 0.75}}
    assert differences(made.record.points[1], wrong) == [
        "the exported program agrees on 0.7500 of the test images, not on all"
    ]


def test_a_model_that_is_gone_is_a_sentence_and_exports_nothing(made: Study, tmp_path: Path) -> None:
    gone = replace(made.record.points[1], id="0" * 32)
    with pytest.raises(ValueError, match=f"select: the model of point {'0' * 32} is not in the store any more"):
        taken(made, gone, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_elses_is_left_alone(made: Study, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(ExportError, match="must be empty or an earlier export, it holds other files"):
        taken(made, made.record.points[1], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
