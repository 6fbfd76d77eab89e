"""What is taken away is proven in a new process, against every figure of the record."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import paretune
from compress.data.tasks import Task
from compress.export.evaluate_export import machine
from compress.export.formats import FORMATS, OURS
from compress.measure import machine_name
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.bucket import open_store
from compress.store.folder import Store
from compress.training.settings import Training
from search.shipping.verified_export import Mismatch, _origin, differences, elsewhere, renew, spread, take
from search.study.names import StudyError
from search.study.record import Point, point_event
from search.study.study import Study
from search.tracking.client import TrackingError, connect

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


IMAGES = {"validation": 359, "test": 359}
FAITHFUL = {"images": 256, "agreement": 1.0, "difference": 1e-6}


@pytest.fixture
def fresh(made: Study) -> dict[str, Any]:
    """What a faithful export of the pruned point measures."""
    forms = {"pt2": FAITHFUL, "safetensors": FAITHFUL, "onnx": {**FAITHFUL, "int8_layers": 0}}
    point = made.record.points[1]
    return {**point.as_json(), "machine": machine(), "formats": forms}


def taken(made: Study, point: Point, folder: Path, *formats: str) -> Any:
    return take(
        point, made.record, made.home, folder, budget={"max_params": "20k"}, formats=formats or ("safetensors",)
    )


def test_an_export_measures_in_a_new_process_what_was_recorded(made: Study, tmp_path: Path) -> None:
    point = made.record.points[1]
    fresh = taken(made, point, tmp_path / "out", "onnx", "safetensors")
    assert fresh["accuracy"] == point.as_json()["accuracy"]
    assert fresh["params"] == point.measured.params < made.record.points[0].measured.params
    assert {form: figures["agreement"] for form, figures in fresh["formats"].items()} == dict.fromkeys(FORMATS, 1.0)
    assert {p.name for p in (tmp_path / "out").iterdir()} == OURS
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert (card["study"], card["task"], card["budget"]) == ("s", "digits", {"max_params": "20k"})
    assert card["point"]["id"] == point.id
    assert card["measured"] == fresh
    assert card["made"][1:] == [
        "trained on labels: 1 epoch, learning rate 0.1, batches of 128",
        "pruned with l1-filter (spare_shortcuts False) until 50.0% of its weights are gone, one-shot (steps 1); "
        "recovered by training all weights: 1 epoch, learning rate 0.1, batches of 128",
    ]
    assert card["sources"]["l1-filter"] == L1Filter.source
    text = (tmp_path / "out" / "card.md").read_text()
    assert f"| test accuracy | {point.measured.score_test:.4f} |" in text
    assert f"| parameters | {point.measured.params:,} |" in text
    assert "Seed 0." in text
    assert f"<{L1Filter.source}>" in text


def test_a_model_leaves_without_the_weights_that_it_began_with(made: Study, digits: Task, tmp_path: Path) -> None:
    point = made.record.points[1]
    gone = Model("cnn", 0.25, weights=str(tmp_path / "gone.safetensors"))
    told = _origin(replace(point, recipe=replace(RECIPE, student=gone).as_json()), digits)
    assert told["sources"] == _origin(point, digits)["sources"]
    assert str(told["made"]).count("l1-filter") == 1
    assert _origin(replace(point, recipe={"of": "another version"}), digits) == {}


def test_nothing_is_exported_with_the_normalisation_of_other_images(made: Study, tmp_path: Path) -> None:
    header = {"objectives": ["accuracy", "params"], "seed": 0, "reference_point": {}, "fingerprint": "0" * 64}
    Study(tmp_path, "s").begin(task="digits", space="joint", **header)
    with pytest.raises(StudyError, match="the images of digits must be those it was begun with"):
        take(made.record.points[1], made.record, tmp_path, tmp_path / "out", budget={}, formats=("safetensors",))
    assert not (tmp_path / "out").exists()


def test_a_proven_export_is_kept_when_mlflow_dies(made: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> str:
        raise TrackingError("register: MLflow is gone")

    monkeypatch.setattr("search.tracking.sync.Sync.register", dies)
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    with pytest.raises(RuntimeError, match="MLflow is gone; the export itself is whole, in "):
        paretune.take("s", made.record.points[0], tmp_path / "out", budget={}, home=made.home, tracking_uri=uri)
    assert {path.name for path in (tmp_path / "out").iterdir()} > {"model.pt2", "card.md"}


def test_a_program_is_there_to_be_registered_whatever_is_asked_for(made: Study, tmp_path: Path) -> None:
    taken(made, made.record.points[0], tmp_path / "out", "pt2")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"model.pt2", "model.safetensors", "structure.json", "card.json", "card.md"}


def test_a_record_that_was_tampered_with_is_found_out(made: Study, tmp_path: Path) -> None:
    point = made.record.points[1]
    better = replace(point, measured=replace(point.measured, score_test=1.0, params=5))
    with pytest.raises(Mismatch, match="is not what was recorded, so nothing was kept: params recorded 5") as caught:
        taken(made, better, tmp_path / "out")
    assert "test accuracy recorded 1.0, measured 0." in str(caught.value)


def test_nothing_is_put_in_place_or_registered_on_a_mismatch(
    made: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.shipping.verified_export.CLOSE", -1.0)  # no logits are so near
    (tmp_path / "out").mkdir()
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    with pytest.raises(Mismatch, match="the logits of pt2 are"):
        paretune.take("s", made.record.points[0], tmp_path / "out", budget={}, home=made.home, tracking_uri=uri)
    assert list((tmp_path / "out").iterdir()) == []
    assert connect(uri).search_registered_models() == []


def test_a_model_made_again_on_a_gpu_is_taken_with_the_figures_it_has_now(made: Study, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(made.home, home)
    study, point = Study(home, "s"), made.record.points[1]
    store = Store(home / "store")
    entry = store.get(point.id)
    assert entry is not None
    on_gpu = replace(point.measured, score_validation=0.125, device="NVIDIA H200")
    files = entry.files()
    shutil.rmtree(entry.path)
    again = store.put(point.id, files, on_gpu, entry.made_from)
    where = replace(study.record, store=str(home / "store"))
    with pytest.raises(Mismatch, match=r"score_validation .*, now 0\.125; device cpu, now NVIDIA H200; the study has"):
        take(point, where, home, tmp_path / "out", budget={}, formats=("safetensors",))
    found = Study(home, "s").record.points[1]
    assert (found.measured, found.sparsity, found.variant) == (on_gpu, point.sparsity, point.variant)
    renew(study, found, again)  # once
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["params", "nonzero_params", "macs", "size_bytes"])
def test_every_count_is_compared(made: Study, fresh: dict[str, Any], name: str) -> None:
    point = made.record.points[1]
    recorded = getattr(point.measured, name)
    assert differences(point, fresh, IMAGES) == []
    assert differences(point, {**fresh, name: recorded + 1}, IMAGES) == [
        f"{name} recorded {recorded}, measured {recorded + 1}"
    ]


HERE, THERE = machine_name(), "Another Processor, torch 2.13.0"
APART = [
    ("float", "cpu", HERE, 1, True),
    ("float", "cpu", "", 1, True),
    ("int8", "cpu", HERE, 1, True),
    ("float", "NVIDIA A10G", HERE, 1, False),
    ("float", "NVIDIA A10G", "", 3, False),
    ("float", "NVIDIA A10G", HERE, 4, True),
    ("float", "cpu", THERE, 3, False),
    ("float", "cpu", THERE, 0, False),
    ("int8", "cpu", THERE, 3, False),
    ("int8", "NVIDIA A10G", THERE, 4, True),
]


@pytest.mark.parametrize(("variant", "device", "where", "apart", "refused"), APART)
def test_accuracies_from_elsewhere_may_be_a_few_images_off_and_those_from_here_none(
    made: Study, fresh: dict[str, Any], variant: str, device: str, where: str, apart: int, refused: bool
) -> None:
    point = made.record.points[1]
    off = round(point.measured.score_test * 359 - apart) / 359
    measured = replace(point.measured, device=device, machine=where, score_test=off)
    point = replace(point, variant=variant, measured=measured)
    assert [line.startswith("test accuracy recorded") for line in differences(point, fresh, IMAGES)] == [True] * refused
    note = elsewhere(point, fresh, IMAGES)
    assert bool(note) == ((device, where or HERE) != ("cpu", HERE))
    if note:
        assert note.startswith(f"accuracies were recorded on {device}")
        assert note.endswith("are here within 3 of 359 validation images and 3 of 359 test images of the recorded ones")


@pytest.mark.parametrize(("variant", "allowed"), [("float", 10), ("int8", 100)])
def test_of_many_images_a_share_may_be_off(variant: str, allowed: int, made: Study, fresh: dict[str, Any]) -> None:
    point = made.record.points[1]
    fresh["accuracy"] = {"validation": 0.9, "test": 0.9}
    for apart in (allowed, allowed + 1):
        figures: dict[str, Any] = {"score_validation": 0.9, "score_test": 0.9 - apart / 10_000}
        there = replace(point, variant=variant, measured=replace(point.measured, device="NVIDIA A10G", **figures))
        found = differences(there, fresh, {"validation": 10_000, "test": 10_000})
        assert len(found) == (apart > allowed)


def test_what_a_gpu_found_is_taken_away_where_there_is_none_with_a_note(made: Study, tmp_path: Path) -> None:
    point = made.record.points[1]
    off = point.measured.score_test - 1 / 359
    found = replace(point, measured=replace(point.measured, device="NVIDIA A10G", score_test=off))
    fresh = taken(made, found, tmp_path / "out")
    assert "accuracies were recorded on NVIDIA A10G" in fresh["elsewhere"]
    assert fresh["accuracy"] == point.as_json()["accuracy"]
    assert "accuracies were recorded on NVIDIA A10G" in (tmp_path / "out" / "card.md").read_text()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_both_accuracies_are_compared(made: Study, fresh: dict[str, Any], split: str) -> None:
    wrong = {**fresh, "accuracy": {**fresh["accuracy"], split: 0.0}}
    (sentence,) = differences(made.record.points[1], wrong, IMAGES)
    assert sentence.startswith(f"{split} accuracy recorded 0.")


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("pt2", {"agreement": 0.75}, ["pt2 agrees with the network on 0.7500 of 256 test images, must on all"]),
    ("pt2", {"agreement": float("nan")}, ["pt2 agrees with the network on nan of 256 test images, must on all"]),
    ("safetensors", {"difference": 2e-4}, ["the logits of safetensors are 2.0e-04 from the network's, must be 0.0001"]),
    ("onnx", {"difference": 2e-4}, ["the logits of onnx are 2.0e-04 from the network's, must be 0.0001"]),
    ("onnx", {"difference": float("nan")}, ["the logits of onnx are nan from the network's, must be 0.0001"]),
    ("onnx", {"agreement": 0.996}, ["onnx agrees with the network on 0.9960 of 256 test images, must on all"]),
    ("onnx", {"agreement": 0.996, "difference": 0.1, "int8_layers": 4}, []),
    ("onnx", {"agreement": 0.98, "difference": 0.1, "int8_layers": 4},
     ["onnx agrees with the network on 0.9800 of 256 test images, must on 0.99"]),
]  # fmt: skip


@pytest.mark.parametrize(("form", "figures", "sentences"), WRONG)
def test_a_form_that_answers_differently_is_named(
    made: Study, fresh: dict[str, Any], form: str, figures: dict[str, Any], sentences: list[str]
) -> None:
    wrong = {**fresh, "formats": {**fresh["formats"], form: {**fresh["formats"][form], **figures}}}
    assert differences(made.record.points[1], wrong, IMAGES) == sentences


def test_the_spread_is_of_the_points_family_and_not_of_one_seed(made: Study) -> None:
    first, second = made.record.points
    again = replace(first, id="another", family=first.id)
    trial = replace(made.record.trials[0], id=1, points=(again,))
    record = replace(made.record, trials=(*made.record.trials, trial))
    found = spread(first, record)
    assert found is not None
    assert (found["count"], found["margin"]) == (2, 0.0)
    assert spread(second, record) is None


def test_a_model_that_is_gone_is_a_sentence_and_exports_nothing(made: Study, tmp_path: Path) -> None:
    gone = replace(made.record.points[1], id="0" * 32)
    with pytest.raises(ValueError, match=f"select: the model of point {'0' * 32} is not in the store any more"):
        taken(made, gone, tmp_path / "out")
    assert not (tmp_path / "out").exists()
