"""Outputs kept of a model: the values the model gives, at the price of a rounding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.data.tasks import Task
from compress.errors import StoreError
from compress.models import Model
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.stages import Train
from compress.store import outputs
from compress.store.files import Files
from compress.store.folder import Store
from compress.store.outputs import outputs_of, unpacked
from compress.training.settings import Training


def test_outputs_come_back_in_the_order_of_the_targets(trained: Files, tiny: Task) -> None:
    packed = outputs_of(trained.module(), tiny)
    assert packed is not None
    found = unpacked(packed)
    with torch.no_grad():
        wanted = trained.module()(tiny.test.first(64).images)
    torch.testing.assert_close(found["test"], wanted, rtol=1e-3, atol=1e-3)
    assert len(packed) < 1000 + 2 * 10 * (len(tiny.validation) + len(tiny.test))
    assert (found["test"].argmax(1) == tiny.test.targets).float().mean() > 0.8


def test_values_beyond_half_precision_are_kept_in_full(tiny: Task) -> None:
    large = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    with torch.no_grad():
        next(large.parameters()).fill_(1e5)
    packed = outputs_of(large, tiny)
    assert packed is not None
    assert unpacked(packed)["test"].isfinite().all()


def test_maps_too_large_are_not_kept(tiny: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST", 63)
    assert outputs_of(nn.Flatten(), tiny) is None


def test_a_pipeline_keeps_the_outputs_of_its_points_also_of_known_ones(tiny: Task, tmp_path: Path) -> None:
    recipe, store = Recipe("digits", Model("cnn", 0.25), (Train(Training(epochs=1)),)), Store(tmp_path)
    (point,) = Pipeline(tiny, store).run(recipe)
    assert store.outputs(point.key) is None
    (again,) = Pipeline(tiny, store, keep_outputs=True).run(recipe)
    assert again.known
    packed = store.outputs(point.key)
    assert packed is not None
    right = (unpacked(packed)["validation"].argmax(1) == tiny.validation.targets).float().mean()
    assert float(right) == pytest.approx(again.measured.score_validation, abs=0.02)
    assert replace(again, known=False, measured=point.measured) == replace(point, known=False)


def test_a_damaged_file_is_a_sentence() -> None:
    with pytest.raises(StoreError, match="outputs: the file is damaged"):
        unpacked(b"no such file")
