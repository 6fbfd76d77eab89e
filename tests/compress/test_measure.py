"""Counting: by hand on a tiny network, against the published figures on a known one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from compress.data.tasks import Task
from compress.measure import accuracy, count, latency, measure
from compress.models import Model
from compress.store.files import Files


class Tiny(nn.Module):
    """Conv 1 -> 2, 3x3, stride 2 on 8x8; linear 32 -> 3."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(2)
        self.line = nn.Linear(32, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.line(self.norm(self.conv(images)).flatten(1))
        return logits


def test_parameters_and_macs_are_those_counted_by_hand() -> None:
    costs = count(Tiny(), (1, 8, 8))
    assert costs.params == (18 + 2) + (2 + 2) + (96 + 3)
    assert costs.macs == 18 * 4 * 4 + 96


def test_zero_parameters_are_not_counted_as_nonzero() -> None:
    net = Tiny()
    nn.init.ones_(net.conv.bias)  # type: ignore[arg-type]
    nn.init.ones_(net.line.bias)
    with torch.no_grad():
        net.line.weight[:, :10] = 0.0
    assert count(net, (1, 8, 8)).nonzero_params == 123 - 2 - 30  # BN's two biases start at zero
    assert count(net, (1, 8, 8)).params == 123


def test_resnet20_has_the_published_costs() -> None:
    costs = count(Model("resnet20").build(10, 3), (3, 32, 32))
    assert costs.params == pytest.approx(0.27e6, rel=0.02)
    assert costs.macs == pytest.approx(41e6, rel=0.02)


def test_counting_does_not_depend_on_the_weights_or_the_mode() -> None:
    net = Tiny().train()
    before = count(net, (1, 8, 8))
    nn.init.normal_(net.line.weight)
    assert count(net, (1, 8, 8)).macs == before.macs


def test_accuracy_is_the_share_of_right_answers(tiny: Task) -> None:
    class Guess(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.said = nn.Parameter(torch.eye(10)[3])

        def forward(self, images: Tensor) -> Tensor:
            return self.said.expand(len(images), 10)

    threes = int((tiny.test.targets == 3).sum())
    assert 0 < threes < 64
    assert accuracy(Guess(), tiny.test, batch_size=10) == threes / 64


def test_latency_gives_a_median_below_its_95th_percentile() -> None:
    median, p95 = latency(Tiny().eval(), (1, 8, 8), calls=10)
    assert 0 < median <= p95


def test_a_measurement_says_what_was_measured_and_on_what(tiny: Task, trained: Files) -> None:
    model = trained.module()
    found = measure(model, tiny, trained)
    costs = count(model, (1, 8, 8))
    assert (found.params, found.nonzero_params, found.macs) == (costs.params, costs.nonzero_params, costs.macs)
    assert (found.size_bytes, found.compressed_bytes) == (trained.size_bytes, trained.compressed_bytes)
    assert (found.score_validation, found.score_test) == (
        accuracy(model, tiny.validation),
        accuracy(model, tiny.test),
    )
    assert (found.device, found.threads, found.seconds) == ("cpu", 1, 0.0)


def test_flops_are_two_a_mac(tiny: Task, trained: Files) -> None:
    found = measure(trained.module(), tiny, trained)
    assert found.flops == 2 * found.macs > 0


def test_int8_counts_the_same_macs_as_float(trained: Files, images: Tensor) -> None:
    from compress.quantize import Int8

    before = count(trained.module(), (1, 8, 8))
    after = count(Int8().convert(trained.module(), images), (1, 8, 8))
    assert (after.params, after.macs) == (before.params, before.macs)
