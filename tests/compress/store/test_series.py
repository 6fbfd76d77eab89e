"""Series of trainings beside the entries: a chain is found from its last model, also once models are gone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from compress.data.tasks import Task
from compress.errors import StoreError
from compress.models import Model
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import APoZRounds, Exponential, L1Filter
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Narrow, Prune, Quantize, Recovery, Train
from compress.store.bucket import open_store
from compress.store.folder import Store
from compress.store.series import chain, rows, unpacked
from compress.training.settings import Training

TWICE = Training(epochs=2, lr=0.02, batch_size=32)
CUT = Prune(L1Filter(), 0.5, Exponential(2), Recovery(TWICE))
FORM = {"version": 1, "stage": "train", "level": 0, "parent": None, "epochs": [{"epoch": 1, "loss": 2}]}


def test_the_series_of_a_chain_is_found_from_its_last_model_even_once_models_are_dropped(
    tiny: Task, tmp_path: Path
) -> None:
    recipe, store = Recipe("digits", Model("cnn", 0.25), (Train(TWICE), CUT, Quantize(Int8()))), Store(tmp_path)
    made = list(Pipeline(tiny, store).run(recipe))
    for point in made:
        store.drop(point.key)
    steps = chain(store.series, made[-1].key)
    assert [(step.stage, len(step.epochs)) for step in steps] == [
        ("train", 2),
        ("prune", 2),
        ("prune", 2),
        ("quantize", 0),
    ]
    assert [step.level for step in steps[1:3]] == list(CUT.levels)
    assert [step.key for step in steps] == [made[0].key, made[2].key, made[4].key, made[5].key]
    found = rows(steps)
    assert [row["epoch"] for row in found] == [1, 2] * 3
    assert {name for row in found for name in row} == {"step", "stage", "level", "epoch", "loss", "score", "lr"}
    assert all(0 <= float(row["score"]) <= 1 for row in found)


def test_a_chain_begins_after_the_last_step_without_a_series(tiny: Task, tmp_path: Path) -> None:
    recipe, store = Recipe("digits", Model("cnn", 0.25), (Train(TWICE), CUT)), Store(tmp_path)
    made = list(Pipeline(tiny, store).run(recipe))
    (tmp_path / "series" / made[0].key[:2] / f"{made[0].key}.json").unlink()
    assert [step.level for step in chain(store.series, made[-1].key)] == list(CUT.levels)
    assert chain(store.series, made[0].key) == []


def test_a_round_taken_back_leaves_no_epochs(tiny: Task, tmp_path: Path) -> None:
    rounds = Prune(APoZRounds(tolerance=0.0, rounds=2, deviations=0.0), recovery=Recovery(replace(TWICE, lr=1e-9)))
    recipe = Recipe("digits", Model("resnet20", 0.25), (Train(TWICE), rounds, Narrow(None, 0.5, TWICE)))
    store = Store(tmp_path)
    first, student = Pipeline(tiny, store).run(recipe)
    steps = chain(store.series, student.key)
    assert [(step.stage, len(step.epochs)) for step in steps] == [
        ("train", 2),
        ("prune", 0),
        ("prune", 0),
        ("narrow", 2),
    ]
    assert [step.key for step in steps] == [step.key for step in plan(recipe, tiny.fingerprint)]
    assert steps[0].key == first.key


def test_a_bucket_keeps_series_for_other_machines(
    bucket: str, tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made,) = Pipeline(tiny, open_store(bucket)).run(Recipe("digits", Model("cnn", 0.25), (Train(TWICE),)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    (step,) = chain(open_store(bucket).series, made.key)
    assert len(step.epochs) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 2}, "series: of a newer version, 2; this one reads 1"),
        ({"epochs": [[1]]}, r"series: the file of k is damaged \(TypeError: a row must be an object"),
        ({"epochs": [{"loss": 1}]}, "a row without epoch"),
        ({"epochs": [{"epoch": 1, "loss": "x"}]}, "could not convert"),
        ({"level": None}, "TypeError"),
    ],
)
def test_a_damaged_file_is_a_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        unpacked("k", json.dumps({**FORM, **change}).encode())


def test_files_that_are_no_json_or_name_each_other_end() -> None:
    with pytest.raises(StoreError, match="series: the file of k is damaged"):
        unpacked("k", b"\xff")
    loop = json.dumps({**FORM, "parent": "k"}).encode()
    assert len(chain(lambda key: loop, "k")) == 1
