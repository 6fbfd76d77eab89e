"""The moving average of weights: the mean, zeros under it, and no change by an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import compress.training.checkpoint
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.models import Model
from compress.training.average import Average
from compress.training.loop import Hook, KeepZeros, Loss, fit
from compress.training.settings import Training

AVERAGED = Training(epochs=4, lr=0.05, batch_size=32, ema=0.9)


class Watching(Hook):
    """Notes the weights after every update, and the weights shown after every epoch."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.updated: list[dict[str, Tensor]] = []
        self.shown: list[dict[str, Tensor]] = []

    def after_update(self, step: int, steps: int) -> None:
        self.updated.append(self._copy())

    def after_epoch(self, done: int, epochs: int) -> None:
        self.shown.append(self._copy())

    def _copy(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}


def net() -> nn.Module:
    torch.manual_seed(0)
    return Model("resnet20", 0.25).build(10, 1)


def test_the_average_is_of_weights(tiny: Task) -> None:
    module = net()
    watching, wanted = Watching(module), {name: weight.detach().clone() for name, weight in module.named_parameters()}
    fit(Loss(module), tiny.train, AVERAGED, seed=0, augment=None, hooks=[watching])
    for updates, weights in enumerate(watching.updated):
        keep = min(0.9, (1 + updates) / (10 + updates))
        wanted = {name: keep * known + (1 - keep) * weights[name] for name, known in wanted.items()}
    torch.testing.assert_close(dict(module.named_parameters()), wanted)
    assert not torch.equal(module.get_parameter("classifier.weight"), watching.updated[-1]["classifier.weight"])


def test_running_statistics_are_those_of_the_averaged_weights_on_training_images(tiny: Task) -> None:
    module = net()
    fit(Loss(module), tiny.train, replace(AVERAGED, batch_size=len(tiny.train)), seed=0, augment=None)
    first: dict[str, Tensor] = {}
    module.get_submodule("stem.0").register_forward_hook(lambda layer, given, output: first.update(maps=output))
    with torch.no_grad():
        module(next(tiny.train.batches(len(tiny.train))).images)
    norm = next(layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d))
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, first["maps"].mean((0, 2, 3)))
    assert norm.momentum == 0.1
    assert not any(layer.training for layer in module.modules())


def test_what_acts_after_an_epoch_sees_the_average_and_training_goes_on_without(tiny: Task) -> None:
    module = net()
    watching = Watching(module)
    fit(Loss(module), tiny.train, AVERAGED, seed=0, augment=None, hooks=[watching])
    torch.testing.assert_close(watching.shown[-1], dict(module.state_dict()), rtol=0, atol=0)
    plain = net()
    other = Watching(plain)
    without = Training(epochs=4, lr=0.05, batch_size=32)
    fit(Loss(plain), tiny.train, without, seed=0, augment=None, hooks=[other])
    torch.testing.assert_close(watching.updated, other.updated, rtol=0, atol=0)


def test_zeros_of_pruning_are_zeros_of_the_average(tiny: Task) -> None:
    module = net()
    weight = module.get_parameter("classifier.weight")

    class Late(Hook):
        def after_update(self, step: int, steps: int) -> None:
            if step >= steps // 2:
                with torch.no_grad():
                    weight[:, ::2] = 0

    fit(Loss(module), tiny.train, AVERAGED, seed=0, augment=None, hooks=[Late()])
    assert (weight[:, ::2] == 0).all()
    assert (weight[:, 1::2] != 0).all()


def test_zeros_kept_from_the_start_stay(tiny: Task) -> None:
    module = net()
    weight = module.get_parameter("classifier.weight")
    with torch.no_grad():
        weight[::2] = 0
    fit(Loss(module), tiny.train, AVERAGED, seed=0, augment=None, hooks=[KeepZeros([weight])])
    assert (weight[::2] == 0).all()
    assert not (torch.signbit(weight) & (weight == 0)).any(), "-0.0 does not deflate"


class Interrupted(Exception):
    """A node that was lost."""


def test_an_interrupted_run_ends_with_the_same_average(
    tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress.training.checkpoint, "EVERY_SECONDS", 0.0)

    def run(checkpoint: Path | None, until: int = 9) -> dict[str, Tensor]:
        def told(done: int, of: int) -> None:
            if done == until:
                raise Interrupted

        module = net()
        fit(Loss(module), tiny.train, AVERAGED, seed=0, augment=None, checkpoint=checkpoint, on_progress=told)
        return dict(module.state_dict())

    with pytest.raises(Interrupted):
        run(tmp_path / "key.pt", until=3)
    torch.testing.assert_close(run(tmp_path / "key.pt"), run(None), rtol=0, atol=0)


def test_frozen_layers_stay_as_they_are(tiny: Task) -> None:
    module = net()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    head = module.get_submodule("classifier")
    fit(Loss(module), tiny.train, AVERAGED, seed=0, augment=None, only=head)
    changed = {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_statistics_of_adapters_are_measured_and_their_memory_is_left_alone(tiny: Task) -> None:
    loss, norm, memory = Loss(net()), nn.BatchNorm1d(64), torch.zeros(5)
    loss.adapters = nn.Sequential(nn.Flatten(), norm)
    loss.register_buffer("memory", memory)

    def batches() -> Iterator[Batch]:
        return tiny.train.batches(32)

    def run(module: nn.Module, given: tuple[Batch], value: Tensor) -> None:
        norm(given[0].images.flatten(1))

    loss.register_forward_hook(run)
    Average(loss, [], 0.9, batches, nullcontext).take_over()
    images = torch.cat([batch.images for batch in batches()]).flatten(1)
    torch.testing.assert_close(norm.running_mean, images.mean(0), rtol=0.05, atol=0.05)
    assert torch.equal(memory, torch.zeros(5))
