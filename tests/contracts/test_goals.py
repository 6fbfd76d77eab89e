"""Every goal is trained for, imitated, cut, quantized, stored and measured, or a method says that it cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from compress.data.splits import Augment, TensorSplit
from compress.data.tasks import Task
from compress.distill import DISTILLERS
from compress.errors import RecipeError
from compress.export.evaluate_export import evaluate
from compress.export.formats import export
from compress.goals import Classification, Goal, MultiLabel, Regression, Segmentation
from compress.lowrank import SVD
from compress.models import Model
from compress.pipeline import Made, Pipeline
from compress.pruning import PRUNERS, SCHEDULES
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.store.folder import Store
from compress.training.settings import Training

ONCE = Training(epochs=1, lr=0.05, batch_size=32)
SOURCE = '''
import torch
from torch import nn

class Net(nn.Module):
    """Two convolutions, and a convolution that gives a class a pixel."""

    def __init__(self, classes, channels, width=1.0):
        super().__init__()
        wide = max(2, round(8 * width))
        self.one = nn.Sequential(nn.Conv2d(channels, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU())
        self.two = nn.Sequential(nn.Conv2d(wide, 2 * wide, 3, padding=1), nn.BatchNorm2d(2 * wide), nn.ReLU())
        self.last = nn.Conv2d(2 * wide, classes, 1)

    def forward(self, images):
        return self.last(self.two(self.one(images)))
'''


@dataclass(frozen=True)
class Case:
    """A goal, its targets for images (N, 1, H, W), and the networks to learn."""

    goal: Goal
    targets: Callable[[Tensor], Tensor]
    model: str = "cnn"


def brightness(images: Tensor) -> Tensor:
    """Two values an image: the brightness of its halves."""
    rows = images.float().mean((1, 3))
    return torch.stack([rows[:, :4].mean(1), rows[:, 4:].mean(1)], 1)


CASES = {
    "regression": Case(Regression(("upper", "lower"), also=("r2",)), brightness),
    "multilabel": Case(MultiLabel(("upper", "lower")), lambda images: (brightness(images) > 5).float()),
    "f1": Case(
        Classification(("upper", "lower"), "f1", weights=(1.0, 2.0)), lambda images: brightness(images).argmax(1)
    ),
    "segmentation": Case(Segmentation(("ground", "ink")), lambda images: (images[:, 0] > 7).long(), "dense_net:Net"),
}
each_case = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's module `dense_net`."""
    (tmp_path / "dense_net.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


def task_of(case: Case, tiny: Task) -> Task:
    """The task of digits with other targets, on rectangles of 8 x 6 pixels."""

    def part(split: object) -> TensorSplit:
        assert isinstance(split, TensorSplit)
        images = split.images[..., 1:-1].contiguous()
        return replace(split, images=images, targets=case.targets(images))

    train, validation, test = part(tiny.train), part(tiny.validation), part(tiny.test)
    goal = case.goal.fitted(train.targets)
    fingerprint = hashlib.sha256(goal.settings().encode()).hexdigest()
    named = replace(tiny, name="ink", goal=goal, shape=(1, 8, 6), augment=Augment(0, False), fingerprint=fingerprint)
    return replace(named, train=train, validation=validation, test=test)


def made(case: Case, task: Task, home: Path, *stages: Stage, teacher: bool = False) -> list[Made]:
    """The points of a recipe."""
    taught = (Model(case.model), ONCE) if teacher else (None, None)
    recipe = Recipe(task.name, Model(case.model, 0.5), stages, *taught)
    return list(Pipeline(task, Store(home)).run(recipe))


@pytest.mark.usefixtures("net")
@each_case
def test_a_goal_goes_through_cut_low_rank_and_int8(name: str, tiny: Task, tmp_path: Path) -> None:
    case = CASES[name]
    task = task_of(case, tiny)
    recovery = Recovery(ONCE)
    for cut in (
        Prune(PRUNERS["taylor"](), 0.5, SCHEDULES["exponential"](2), recovery),
        Factorize(SVD(), 0.3, SCHEDULES["one-shot"](1), recovery),
    ):
        points = made(case, task, tmp_path / "home", Train(ONCE), cut, Quantize(QUANTIZERS["int8"]()))
        assert {point.variant for point in points} == {"float", "int8"}
        for point in points:
            assert not point.measured.fault
            assert f"{task.quality.name}_test" in point.measured.metrics
            value = point.measured.metrics[f"{task.quality.name}_validation"]
            assert task.quality.value(point.measured.score_validation) == pytest.approx(value, rel=1e-6, abs=1e-9)


@pytest.mark.usefixtures("net")
@each_case
@pytest.mark.parametrize("method", PRUNERS)
def test_every_pruner_works_for_every_goal(method: str, name: str, tiny: Task, tmp_path: Path) -> None:
    case, kind = CASES[name], cast(Any, PRUNERS[method])
    task = task_of(case, tiny)
    if kind.adaptive:
        cut = Prune(kind(rounds=1, tolerance=0.5), recovery=Recovery(ONCE))
    else:
        cut = Prune(kind(), 0.5, SCHEDULES["one-shot"](1), Recovery(ONCE))
    points = made(case, task, tmp_path / "home", Train(ONCE), cut)
    assert points
    assert all(not point.measured.fault for point in points)


@pytest.mark.usefixtures("net")
@each_case
@pytest.mark.parametrize("method", DISTILLERS)
def test_every_distiller_works_for_a_goal_or_says_why_not(method: str, name: str, tiny: Task, tmp_path: Path) -> None:
    case, distiller = CASES[name], DISTILLERS[method]()
    task = task_of(case, tiny)
    if task.goal.dense and (distiller.reads_features or distiller.reads_last):
        with pytest.raises(
            RecipeError, match=f"{method}: reads pooled features, and segmentation has an answer a pixel"
        ):
            made(case, task, tmp_path / "home", Distill(distiller, ONCE), teacher=True)
        return
    slowly = replace(ONCE, lr=0.005)  # published weights of terms are for larger images
    (point,) = made(case, task, tmp_path / "home", Distill(distiller, slowly), teacher=True)
    assert not point.measured.fault


@pytest.mark.usefixtures("net")
@each_case
def test_an_export_of_every_goal_measures_as_its_point_did(name: str, tiny: Task, tmp_path: Path) -> None:
    case = CASES[name]
    task = task_of(case, tiny)
    (point,) = made(case, task, tmp_path / "home", Train(ONCE))
    files = Store(tmp_path / "home").get(point.key)
    assert files is not None
    folder = export(files.files(), task, tmp_path / "out", {"about": name}, ("pt2", "onnx", "safetensors"))
    found = evaluate(folder, task, networks=["dense_net:Net"])
    wanted = task.quality.value(point.measured.score_test)
    assert found[task.quality.name]["test"] == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    assert [form["agreement"] for form in found["formats"].values()] == [1.0] * 3
    said = (folder / "card.md").read_text()
    assert {"regression": "Out come values `(B, 2)`, in order: upper, lower", "f1": "Out come logits `(B, 2)`"}.get(
        name, "Out come logits"
    ) in said


def test_a_network_of_the_zoo_has_no_answer_a_pixel(tiny: Task, tmp_path: Path) -> None:
    task = task_of(CASES["segmentation"], tiny)
    with pytest.raises(RecipeError, match="cnn: gives one answer an image, the task needs one a pixel"):
        made(replace(CASES["segmentation"], model="cnn"), task, tmp_path / "home", Train(ONCE))
