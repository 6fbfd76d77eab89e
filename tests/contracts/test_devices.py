"""Every method works on a GPU: on a pretended one, which refuses to meet the CPU's tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import compress.pipeline
import compress.step_runner
from compress.data.splits import Split, TensorSplit
from compress.data.tasks import Task
from compress.distill import DISTILLERS, KD
from compress.distill.teaching import Teaching
from compress.lowrank import SVD
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import PRUNERS, Adaptive, DuringTraining, L1Filter, OneShot, PlayAndPrune, Pruner
from compress.pruning.during_training import Goal, Pruning
from compress.pruning.pruner import weight_count
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.store.folder import Store
from compress.training.checkpoint import Checkpoint
from compress.training.loop import Hook, Loss, fit
from compress.training.settings import Training
from tests.pretended import CARD, pretended_card, waits

ONCE = Training(epochs=1, batch_size=32)
AGAIN = Recovery(ONCE)


def pruned(method: Pruner) -> Prune:
    return Prune(method, None, None, AGAIN) if method.adaptive else Prune(method, 0.5, OneShot(), AGAIN)


STAGES: dict[str, tuple[Stage, ...]] = {
    **{name: (Distill(method(), ONCE),) for name, method in DISTILLERS.items()},
    **{name: (Train(ONCE), pruned(method())) for name, method in PRUNERS.items()},
    "svd, int8": (Train(ONCE), Factorize(SVD(), 0.4, OneShot(), AGAIN), Quantize(Int8())),
    "classifier": (Train(ONCE), Prune(L1Filter(), 0.5, OneShot(), Recovery(ONCE, scope="classifier"))),
    "taught again": (Train(ONCE), Prune(L1Filter(), 0.5, OneShot(), Recovery(ONCE, distiller=KD()))),
}


@pytest.fixture
def few(tiny: Task) -> Task:
    """64 training images: two steps."""

    def first(split: Split, count: int) -> Split:
        assert isinstance(split, TensorSplit)
        return replace(split, images=split.images[:count], targets=split.targets[:count])

    return replace(tiny, train=first(tiny.train, 64), validation=first(tiny.validation, 32), test=first(tiny.test, 32))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which the first method trains what all begin with."""
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process trains on the pretended card."""
    for module in (compress.pipeline, compress.step_runner):
        monkeypatch.setattr(module, "training_device", lambda: CARD)
    with pretended_card():
        yield


ALIKE = [name for name, method in PRUNERS.items() if not issubclass(method, DuringTraining | Adaptive)][1:]
"""Methods that only score: the first of them speaks for all in a hurry."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in ALIKE)) for n in STAGES])
def test_no_method_mixes_devices(name: str, few: Task, shared: Store, card: None) -> None:
    stages = STAGES[name]
    taught = isinstance(stages[0], Distill)
    recipe = Recipe(
        "digits", Model("cnn", 0.25), stages, Model("cnn", 0.5) if taught else None, ONCE if taught else None
    )
    made = list(Pipeline(few, shared).run(recipe))
    assert len(made) >= 1
    assert made[-1].measured.params > 0


def masks(hook: Pruning) -> list[Tensor]:
    return [one for one in tree_leaves(hook.state_dict()) if isinstance(one, Tensor) and one.dim()]


INSIDE = [name for name, method in PRUNERS.items() if issubclass(method, DuringTraining)]


@pytest.mark.parametrize("name", INSIDE)
def test_a_hook_that_began_on_the_cpu_goes_on_on_a_card(name: str, few: Task, card: None) -> None:
    def begun(task: Task, device: torch.device) -> tuple[nn.Module, Pruning]:
        model = Model("cnn", 0.25).build(10, 1).to(device)
        goal = Goal(0.5, weight_count(model), next(iter(task.train.batches(32))), 2, lambda: 0.5, 0.5)
        method = PRUNERS[name]()
        assert isinstance(method, DuringTraining)
        return model, method.begin(model, goal)

    _, before = begun(few, torch.device("cpu"))
    model, after = begun(few.to(CARD), CARD)
    after.load_state_dict(before.state_dict())
    fit(Loss(model), few.to(CARD).train, ONCE, seed=0, augment=None, hooks=[after])
    assert {one.device for one in masks(after)} <= {CARD}
    after.finish()


def test_a_step_of_play_and_prune_does_not_wait_for_the_card(few: Task, card: None) -> None:
    def counted(*hooks: Hook) -> int:
        waits.clear()
        fit(Loss(model), task.train, ONCE, seed=0, augment=None, hooks=hooks)
        return sum(waits.values())

    task, model = few.to(CARD), Model("cnn", 0.25).build(10, 1).to(CARD)
    plain = counted()
    playing = PlayAndPrune().begin(model, Goal(0.5, weight_count(model), next(iter(task.train.batches(32))), 1))
    assert counted(playing) == plain


TAUGHT = [*DISTILLERS]


@pytest.mark.parametrize(
    "name", ["labels", TAUGHT[0], *(pytest.param(name, marks=pytest.mark.slow) for name in TAUGHT[1:])]
)
def test_no_step_waits_for_the_card(name: str, few: Task, card: None) -> None:
    def counted(batch_size: int) -> int:
        student, teacher = (Model("cnn", width).build(10, 1).to(CARD) for width in (0.25, 0.5))
        loss: Loss = Loss(student)
        if name in DISTILLERS:
            loss = Teaching(
                student, teacher, DISTILLERS[name](), task.train.first(batch_size), targets=task.train.targets
            )
        waits.clear()
        fit(loss, task.train, Training(epochs=1, batch_size=batch_size), seed=0, augment=task.augment)
        return sum(waits.values())

    task = few.to(CARD)
    assert counted(32) == counted(64)


@pytest.mark.parametrize("name", DISTILLERS)
def test_a_loss_that_began_on_the_cpu_goes_on_on_a_card(name: str, few: Task, card: None, tmp_path: Path) -> None:
    def begun(task: Task, device: torch.device) -> tuple[Teaching, Checkpoint]:
        student, teacher = (Model("cnn", width).build(10, 1).to(device) for width in (0.25, 0.5))
        loss = Teaching(
            student, teacher, DISTILLERS[name](), next(iter(task.train.batches(32))), targets=task.train.targets
        )
        optimizer = torch.optim.SGD(loss.parameters(), 0.1, 0.9)
        return loss, Checkpoint(tmp_path / "key.pt", loss, optimizer, torch.Generator())

    _, before = begun(few, torch.device("cpu"))
    before.every = 0.0
    before.keep(3)
    loss, after = begun(few.to(CARD), CARD)
    assert after.restore() == 3
    assert {one.device for one in loss.state_dict().values() if isinstance(one, Tensor) and one.dim() > 1} == {CARD}
    assert loss(next(iter(few.to(CARD).train.batches(32)))).isfinite()
