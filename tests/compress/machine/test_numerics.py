"""How a GPU computes, as far as a CPU can tell: what is switched, when, and what a network must bear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compress.machine.numerics
import compress.measure
import compress.training.loop
from compress.data.tasks import Task
from compress.machine.numerics import deterministic, exact, has_bf16, lay_out
from compress.pipeline import Pipeline
from compress.pruning import Gradual, L1Filter, L1Unstructured, OneShot, Taylor
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Prune, Quantize, Recovery
from compress.training.loop import Loss, fit
from compress.training.settings import Training

ONCE = Training(epochs=1, batch_size=64)


class Viewing(nn.Module):
    """The commonest line of PyTorch: it needs maps whose channels come first in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(144, 10)
        self.seen: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv(images)
        self.seen.append(self.conv.weight.is_contiguous())
        logits: Tensor = self.head(maps.view(maps.size(0), -1))
        return logits


class Peeking(Viewing):
    """Reads its maps as they lie in memory: channels-last it would compute something else."""

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv(images)
        logits: Tensor = self.head(maps.as_strided((len(maps), 144), (144, 1)))
        return logits


class Pooling(Viewing):
    """Bears any order."""

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv(images)
        self.seen.append(self.conv.weight.is_contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.head(maps.flatten(1))
        return logits


@pytest.fixture
def channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU as if it were a GPU, in this one thing."""
    for module in (compress.machine.numerics, compress.training.loop):
        monkeypatch.setattr(module, "prefers_channels_last", lambda device: True)


@pytest.mark.parametrize("network", [Viewing, Peeking, Pooling])
def test_a_network_trains_channels_last_only_if_it_computes_the_same_so(
    network: Callable[[], Viewing], channels_last: None, tiny: Task
) -> None:
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append(network())
    with torch.no_grad():
        wanted = nets[0](torch.ones(2, 1, 8, 8))
    lay_out(nets[0], torch.rand(2, 1, 8, 8))
    with torch.no_grad():
        torch.testing.assert_close(nets[0](torch.ones(2, 1, 8, 8)), wanted)
    assert nets[0].training
    fit(Loss(nets[1]), tiny.train, ONCE, seed=0, augment=None)
    assert all(nets[1].seen[2:])
    assert nets[1].conv.weight.is_contiguous()


def test_trying_another_order_leaves_statistics_modes_and_the_generator_as_they_are(channels_last: None) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net[1].eval()
    images = torch.rand(2, 1, 8, 8)
    before, drawn = {n: t.clone() for n, t in net.state_dict().items()}, torch.get_rng_state()
    lay_out(net, images)
    assert [m.training for m in net] == [True, False, True, True, True]
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)


def switches() -> tuple[bool, bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, cudnn.deterministic, cudnn.benchmark


def test_what_a_users_module_has_switched_on_holds_again_afterwards() -> None:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    cudnn.benchmark, matmul.allow_tf32 = True, True
    try:
        with exact():
            assert switches() == (False, False, True, False)
        with deterministic():
            assert switches() == (True, True, True, False)
        assert switches() == (True, True, False, True)
    finally:
        cudnn.benchmark, matmul.allow_tf32 = False, False


STAGES = [
    Prune(L1Filter(), 0.5, OneShot(), Recovery(ONCE)),
    Prune(Taylor(), 0.5, OneShot(), Recovery(ONCE)),
    Prune(L1Unstructured(), 0.5, OneShot(), Recovery(ONCE)),
    Prune(Gradual(), 0.5, OneShot(), Recovery(ONCE)),
    Quantize(Int8()),
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.method.name)
def test_scores_calibration_and_figures_are_taken_in_whole_float32(
    stage: Any, pipeline: Pipeline, recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[bool, ...]] = set()
    call = nn.Module.__call__

    def watched(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not module.training:
            seen.add(switches()[:3])
        return call(module, *args, **kwargs)

    monkeypatch.setattr(compress.measure, "latency", lambda *_, **__: (1.0, 1.0))
    monkeypatch.setattr(compress.measure, "count", lambda *_, **__: compress.measure.Costs(1, 1, 1))
    monkeypatch.setattr(nn.Module, "__call__", watched)
    assert len(list(pipeline.run(recipe(stage)))) == 2
    assert seen == {(False, False, True)}


def test_bf16_is_used_where_the_gpu_has_it_and_not_where_torch_emulates_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not has_bf16(torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert has_bf16(torch.device("cuda"))
    assert not has_bf16(torch.device("cpu"))
