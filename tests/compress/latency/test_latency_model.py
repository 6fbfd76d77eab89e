"""A latency model is fitted to the times of blocks, kept as JSON, and foresees networks it has not seen."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.export.graph import ExportFailed
from compress.latency import latency_model
from compress.latency.forms import opened, timed
from compress.latency.kernels import work
from compress.latency.latency_model import LatencyModel, Work, calibrated, fit
from compress.latency.sample_blocks import KINDS, sample_blocks
from compress.latency.target import Target
from compress.measurement import Measurement

FIGURES = Measurement(0.9, 0.9, 10, 10, 100, 40, 40, 1.5, 2.0, "cpu", 1, 3.0, "machine")


def test_rates_are_found_again_from_times_that_follow_them() -> None:
    chance = random.Random(0)
    works: list[Work] = [
        {"net one": 1.0, "conv one": chance.randrange(1, 9), "conv multiplications": chance.randrange(1, 10**6)}
        for _ in range(60)
    ]
    rates = {"net one": 0.01, "conv one": 0.002, "conv multiplications": 7e-9}
    times = [sum(rates[name] * amount for name, amount in one.items()) for one in works]
    assert fit(works, times) == pytest.approx(rates, rel=1e-4)
    disturbed = [time * (3 if n % 10 == 0 else 1) for n, time in enumerate(times)]
    assert fit(works, disturbed)["conv multiplications"] == pytest.approx(7e-9, rel=0.2)


def test_a_latency_is_the_sum_over_kernels_and_what_stays_in_a_cut_is_told_apart() -> None:
    rates = {"net one": 1.0, "conv one": 0.5, "conv multiplications": 1e-3, "cold weights": 1.0}
    model = LatencyModel(Target(), "here", rates)
    net = nn.Sequential(nn.Conv2d(16, 16, 3), nn.Conv2d(16, 16, 3))
    found = model.foresee(net, (16, 6, 6))
    assert found.fixed_ms == pytest.approx(2.0)
    assert found.ms == pytest.approx(2.0 + 1e-3 * 9 * 16 * 16 * (16 + 4))
    measured = model.into(FIGURES, net, (16, 6, 6))
    assert measured.is_of(FIGURES)
    assert measured.latency_ms == pytest.approx(found.ms)
    assert (measured.device, measured.machine) == ("onnx:cpu:1", "here")


def test_a_model_comes_back_from_its_json_and_another_form_is_not_read() -> None:
    model = LatencyModel(Target("torch", "cpu", 2), "here", {"net one": 0.25})
    found = json.loads(json.dumps(model.as_json()))
    assert LatencyModel.from_json(found) == model
    with pytest.raises(ValueError, match="another version"):
        LatencyModel.from_json({**found, "form": 99})


def test_blocks_are_the_same_for_the_same_seed_and_of_every_kind() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, again = ([*sample_blocks(6)] for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [block.shape for block in first] == [block.shape for block in again]
    for one, other in zip(first, again, strict=True):
        assert work(one.model, one.shape, Target()) == work(other.model, other.shape, Target())
    assert len(set(KINDS)) > 10


@pytest.mark.parametrize("text", ["onnx:cpu:1", "torch:cpu:1"])
def test_a_device_is_calibrated_by_blocks_with_floats_and_integers(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_model, "BLOCKS", 12)
    monkeypatch.setattr(latency_model, "INT8_BLOCKS", 2)
    told: list[tuple[int, int]] = []
    model = calibrated(Target.parse(text), lambda done, of: told.append((done, of)))
    assert told[-1] == (14, 14)
    assert model.rates
    assert min(model.rates.values()) > 0


@pytest.mark.parametrize("text", ["onnx:cpu:1", "torch:cpu:1", "onnx:cpu:1:4"])
def test_a_model_is_timed_in_the_form_and_with_the_batch_of_its_target(text: str) -> None:
    target = Target.parse(text)
    run = opened(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 7)), (3, 8, 8), target)
    result = run()
    logits = result[0] if target.form == "onnx" else result
    assert tuple(logits.shape) == (target.batch, 7)
    found = timed(run, target, seconds=0.01)
    assert 0 < found.median_ms <= found.p95_ms


def test_a_network_unknown_to_the_older_exporter_is_written_by_the_newer() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveMaxPool2d(5), nn.Flatten(), nn.Linear(75, 2))
    (logits,) = opened(net, (1, 10, 10), Target())()
    assert logits.shape == (1, 2)


def test_figures_of_another_place_are_of_the_same_model() -> None:
    assert replace(FIGURES, device="NVIDIA A10G", machine="other", latency_ms=9.0).is_of(FIGURES)
    assert not replace(FIGURES, params=11).is_of(FIGURES)


class Fixed(nn.Module):
    """A network that can be written for one size of batch alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(48, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(images.reshape(len(images), -1))
        return logits


class Half(nn.Module):
    """A network with an operation that onnxruntime refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = self.conv(images).flatten(1).float()
            return logits


def test_a_network_for_one_size_of_batch_has_no_form_for_another() -> None:
    (logits,) = opened(Fixed(), (3, 4, 4), Target())()
    assert logits.shape == (1, 3)
    with pytest.raises(ExportFailed, match="the size of the batch"):
        opened(Fixed(), (3, 4, 4), Target("onnx", "cpu", 1, 8))


def test_a_network_that_cannot_be_run_on_a_target_is_a_network_without_the_form() -> None:
    with pytest.raises(ExportFailed, match="no ONNX form"):
        opened(Half(), (3, 8, 8), Target())


def test_a_pass_that_cannot_be_followed_is_said() -> None:
    class Odd(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise IndexError("no such row")

    with pytest.raises(RecipeError, match=r"the network's pass cannot be followed \(IndexError: no such row"):
        LatencyModel(Target(), "here", {}).foresee(Odd(), (3, 8, 8))
