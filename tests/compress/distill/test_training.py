"""Every distillation method, carried out: from scratch, as a recovery, resumed, in half precision. None is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.costs import predict
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import DISTILLERS, Distiller, Outputs
from compress.distill.teaching import Teaching
from compress.errors import RecipeError
from compress.goals import LABELS, Goal
from compress.lowrank import SVD
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import SCHEDULES, L1Filter, L1Unstructured, OneShot, Schedule
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Recovery
from compress.training.loop import Loss, fit
from compress.training.settings import Training

Build = Callable[..., Recipe]
ONE = Training(epochs=1, lr=0.02, batch_size=48)  # of 128 images two full batches, and 32 left over
TAUGHT = {"teacher": Model("resnet20", 0.25), "schooling": ONE}
LASTING = {name: kind() for name, kind in DISTILLERS.items() if not kind.ships_adapter}
SHIPPING = {name: kind() for name, kind in DISTILLERS.items() if kind.ships_adapter}
every_method = pytest.mark.parametrize("method", [kind() for kind in DISTILLERS.values()], ids=list(DISTILLERS))
lasting = pytest.mark.parametrize("method", LASTING.values(), ids=list(LASTING))
shipping = pytest.mark.parametrize("method", SHIPPING.values(), ids=list(SHIPPING))
recovering = pytest.mark.parametrize(
    "cut",
    [
        lambda recovery: Prune(L1Filter(), 0.5, OneShot(1), recovery),
        lambda recovery: Prune(L1Unstructured(), 0.5, OneShot(1), recovery),
        lambda recovery: Factorize(SVD(), 0.5, OneShot(1), recovery),
    ],
    ids=["channels", "weights", "rank"],
)


@lasting
def test_a_distilled_student_is_as_large_as_a_plain_one(method: Distiller, pipeline: Pipeline, recipe: Build) -> None:
    (plain,) = pipeline.run(recipe())
    (taught,) = pipeline.run(recipe(**TAUGHT, stages=(Distill(method, ONE),)))
    assert taught.measured.params == plain.measured.params
    assert taught.measured.macs == plain.measured.macs
    assert taught.measured.size_bytes == plain.measured.size_bytes


@shipping
def test_a_student_with_what_ships_is_larger_than_a_plain_one_as_foreseen(
    method: Distiller, pipeline: Pipeline, recipe: Build, tiny: Task
) -> None:
    (plain,) = pipeline.run(recipe())
    whole = recipe(**TAUGHT, stages=(Distill(method, ONE),))
    (taught,), (guess,) = pipeline.run(whole), predict(whole, tiny)
    assert taught.measured.params > plain.measured.params
    assert (guess.costs.params, guess.costs.macs) == (taught.measured.params, taught.measured.macs)
    assert guess.size_bytes == taught.measured.size_bytes


@lasting
@recovering
def test_a_method_recovers_a_network_from_its_original(
    method: Distiller, cut: Callable[[Recovery], Prune | Factorize], pipeline: Pipeline, recipe: Build
) -> None:
    plain, taught = (list(pipeline.run(recipe(cut(Recovery(ONE, distiller=d))))) for d in (None, method))
    assert taught[1].measured.nonzero_params == pytest.approx(plain[1].measured.nonzero_params, abs=20)
    assert taught[1].measured.params == plain[1].measured.params
    assert taught[1].key != plain[1].key


@shipping
@recovering
def test_a_method_that_ships_recovers_a_network_and_adds_to_it(
    method: Distiller, cut: Callable[[Recovery], Prune | Factorize], pipeline: Pipeline, recipe: Build
) -> None:
    plain, taught = (list(pipeline.run(recipe(cut(Recovery(ONE, distiller=d))))) for d in (None, method))
    assert taught[1].sparsity == plain[1].sparsity
    assert taught[1].measured.params > plain[1].measured.params
    assert taught[1].key != plain[1].key


@lasting
def test_a_method_recovers_a_classifier_alone(method: Distiller, pipeline: Pipeline, recipe: Build) -> None:
    recovery = Recovery(ONE, "classifier", method)
    points = list(pipeline.run(recipe(Prune(L1Filter(), 0.5, OneShot(1), recovery))))
    assert len(points) == 2


@shipping
def test_a_method_that_ships_a_classifier_trains_none(method: Distiller) -> None:
    with pytest.raises(RecipeError, match=f"recovery: {method.name} .* so scope must be all, got classifier"):
        Recovery(ONE, "classifier", method)


@shipping
@pytest.mark.parametrize("schedule", [kind(2) for kind in SCHEDULES.values()], ids=list(SCHEDULES))
def test_a_method_that_ships_recovers_no_level_from_the_one_before(method: Distiller, schedule: Schedule) -> None:
    recovery = Recovery(ONE, distiller=method)
    if schedule.sequential:
        with pytest.raises(RecipeError, match=f"{method.name} ships layers, .* one-shot, got {schedule.name}"):
            Prune(L1Filter(), 0.5, schedule, recovery)
    else:
        assert Prune(L1Filter(), 0.5, schedule, recovery).schedule == schedule
    assert Factorize(SVD(), 0.5, schedule, recovery).schedule == schedule


def student() -> nn.Module:
    return Model("cnn", 0.25).build(10, 1)


def taught(method: Distiller, task: Task, **settings: object) -> Teaching:
    torch.manual_seed(0)
    model, teacher = student(), Model("resnet20", 0.25).build(10, 1).eval()
    loss = Teaching(model, teacher, method, next(task.train.batches(48)), targets=task.train.targets)
    fit(loss, task.train, replace(ONE, epochs=3), seed=0, augment=task.augment, **settings)  # type: ignore[arg-type]
    return loss


class Interrupted(Exception):
    """A node that was lost."""


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@every_method
def test_an_interrupted_distillation_ends_with_the_same_bits(
    method: Distiller, tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress.training.checkpoint.EVERY_SECONDS", 0.0)
    file, heard = tmp_path / "key.pt", []

    def stop(done: int, of: int) -> None:
        if done == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        taught(method, tiny, checkpoint=file, on_progress=stop)
    resumed = taught(method, tiny, checkpoint=file, on_progress=lambda done, of: heard.append(done))
    assert heard == [2, 3]
    assert same(resumed.state_dict(), taught(method, tiny).state_dict())


@every_method
def test_a_loss_draws_nothing_from_the_global_generator(method: Distiller, tiny: Task) -> None:
    loss = taught(method, tiny)
    before = torch.get_rng_state()
    loss.train()
    loss(next(tiny.train.batches(48)))
    assert torch.equal(before, torch.get_rng_state())


@every_method
def test_a_loss_is_computed_in_float32_under_autocast(method: Distiller, tiny: Task) -> None:
    loss, batch = taught(method, tiny), next(tiny.train.batches(48))
    loss.train()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(batch)
    assert value.dtype == torch.float32
    value.backward()
    for parameter in loss.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


class Sizes(Distiller):
    """Hears how large the batches are, and in which type it is told what."""

    name = "sizes"
    reads_features = True

    def __init__(self, full: bool) -> None:
        object.__setattr__(self, "full_batches", full)
        object.__setattr__(self, "heard", [])

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        return ("stage3",)

    def loss(
        self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module, goal: Goal = LABELS
    ) -> Tensor:
        assert student.features is not None
        heard: list[int] = getattr(self, "heard")  # noqa: B009
        heard.append(len(targets))
        types = {t.dtype for t in (student.logits, student.features, student.taps["stage3"], teacher.features)}  # type: ignore[union-attr]
        assert types == {torch.float32}
        assert not torch.is_autocast_enabled("cpu")
        return student.logits.square().mean()


@pytest.mark.parametrize(
    ("full", "size", "sizes"),
    [(False, 48, [48, 48, 32]), (True, 48, [48, 48]), (True, 64, [64, 64]), (True, 500, [128])],
    ids=str,
)
def test_a_smaller_last_batch_is_left_out_if_the_method_says_so(
    full: bool, size: int, sizes: list[int], tiny: Task
) -> None:
    method = Sizes(full)
    loss = Teaching(student(), student(), method, next(tiny.train.batches(size)), targets=tiny.train.targets)
    fit(loss, tiny.train, replace(ONE, batch_size=size), seed=0, augment=None)
    assert getattr(method, "heard") == sizes  # noqa: B009


def test_a_method_is_told_everything_in_float32(tiny: Task) -> None:
    batch: Batch = next(tiny.train.batches(48))
    loss = Teaching(student(), student(), Sizes(False), batch, targets=tiny.train.targets)
    with torch.autocast("cpu", torch.bfloat16):
        loss(batch)


def test_a_plain_training_sees_every_image() -> None:
    assert not Loss(student()).full_batches
