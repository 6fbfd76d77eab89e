"""Weight pruning: how many zeros, where, and that they stay."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.pruning import L1Unstructured, Pruner
from compress.pruning.masks import lowest, mask_weights, masked_parameters
from compress.pruning.pruner import weighted_layers
from compress.training.loop import KeepZeros, Loss, fit
from compress.training.settings import Training


def zeros(model: nn.Module) -> dict[str, Tensor]:
    return {name: layer.weight == 0 for name, layer in weighted_layers(model).items()}


def share(mask: Tensor) -> float:
    return float(mask.float().mean())


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.875, 0.99])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_exactly_the_wanted_number_of_weights_is_zero(
    sparsity: float, scope: str, net: nn.Module, calibration: Batch
) -> None:
    total = sum(mask.numel() for mask in zeros(net).values())
    mask_weights(net, L1Unstructured(scope), sparsity, calibration)
    assert sum(int(mask.sum()) for mask in zeros(net).values()) == int(sparsity * total + 1e-9)


def test_the_smallest_magnitudes_go(net: nn.Module, calibration: Batch) -> None:
    before = torch.cat([layer.weight.detach().abs().flatten() for layer in weighted_layers(net).values()])
    mask_weights(net, L1Unstructured(), 0.6, calibration)
    gone = torch.cat([mask.flatten() for mask in zeros(net).values()])
    assert before[gone].max() <= before[~gone].min()


def test_scope_layer_takes_the_same_share_of_every_layer(net: nn.Module, calibration: Batch) -> None:
    mask_weights(net, L1Unstructured("layer"), 0.5, calibration)
    for mask in zeros(net).values():
        assert share(mask) == pytest.approx(0.5, abs=1.5 / mask.numel())


def test_scope_global_takes_unequal_shares(net: nn.Module, calibration: Batch) -> None:
    mask_weights(net, L1Unstructured("global"), 0.5, calibration)
    shares = [share(mask) for mask in zeros(net).values()]
    assert max(shares) - min(shares) > 0.1


def test_the_ends_can_be_spared(net: nn.Module, calibration: Batch) -> None:
    mask_weights(net, L1Unstructured(spare_ends=True), 0.9, calibration)
    first, *inner, last = zeros(net).values()
    assert not first.any()
    assert not last.any()
    assert share(torch.cat([mask.flatten() for mask in inner])) == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_rising_sparsity_only_adds_zeros(scope: str, net: nn.Module, calibration: Batch) -> None:
    low = zeros(mask_weights(net, L1Unstructured(scope), 0.4, calibration))
    with torch.no_grad():
        for layer in weighted_layers(net).values():  # what training might do to the others
            layer.weight.add_(torch.randn_like(layer.weight) * 0.1 * (layer.weight != 0))
    high = zeros(mask_weights(net, L1Unstructured(scope), 0.8, calibration))
    assert all(bool((high[name] | ~low[name]).all()) for name in low)


def test_biases_and_bn_are_left_alone(net: nn.Module, calibration: Batch) -> None:
    masked = {f"{name}.weight" for name in weighted_layers(net)}
    before = copy.deepcopy(net.state_dict())
    mask_weights(net, L1Unstructured(), 0.9, calibration)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]) == (name not in masked)


def test_zeros_stay_through_momentum_and_weight_decay(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    mask_weights(net, L1Unstructured(), 0.7, calibration)
    before, weights = zeros(net), {n: layer.weight.detach().clone() for n, layer in weighted_layers(net).items()}
    hook = KeepZeros(masked_parameters(net, L1Unstructured(), calibration))
    training = Training(epochs=3, lr=0.1, batch_size=32, momentum=0.9, weight_decay=1e-2)
    fit(Loss(net), tiny.train, training, seed=0, augment=tiny.augment, hooks=[hook])
    for name, layer in weighted_layers(net).items():
        assert bool((layer.weight[before[name]] == 0).all())
        assert not torch.equal(layer.weight, weights[name])


def test_zeros_come_back_without_the_hook(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    mask_weights(net, L1Unstructured(), 0.7, calibration)
    fit(Loss(net), tiny.train, Training(epochs=1, batch_size=32), seed=0, augment=None)
    assert share(torch.cat([mask.flatten() for mask in zeros(net).values()])) < 0.1


def test_zeros_after_recovery_are_one_pattern_of_bits(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    mask_weights(net, L1Unstructured(), 0.9, calibration)  # with -0.0 among them the file would not deflate
    hook = KeepZeros(masked_parameters(net, L1Unstructured(), calibration))
    fit(Loss(net), tiny.train, Training(epochs=1, batch_size=32), seed=0, augment=None, hooks=[hook])
    assert not any(torch.signbit(p[p == 0]).any() for p in masked_parameters(net, L1Unstructured(), calibration))


@dataclass(frozen=True)
class Upside(Pruner):
    """Thinks least of the largest weights, and most of those that are gone."""

    name: ClassVar[str] = "upside"
    source: ClassVar[str] = "https://example.org"
    granularity: ClassVar[Literal["channel", "weight"]] = "weight"

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        return {name: -layer.weight.detach().abs() for name, layer in weighted_layers(model).items()}


def test_zeros_stay_zeros_whatever_the_method_thinks_of_them(net: nn.Module, calibration: Batch) -> None:
    low = zeros(mask_weights(net, Upside(), 0.4, calibration))
    high = zeros(mask_weights(net, Upside(), 0.6, calibration))
    assert all(bool((high[name] | ~low[name]).all()) for name in low)
    assert share(torch.cat([mask.flatten() for mask in high.values()])) == pytest.approx(0.6, abs=1e-3)


@dataclass(frozen=True)
class Crooked(Pruner):
    """Gives channel scores where weight scores are due."""

    name: ClassVar[str] = "crooked"
    source: ClassVar[str] = "https://example.org"
    granularity: ClassVar[Literal["channel", "weight"]] = "weight"

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        return {name: layer.weight.flatten(1).sum(1) for name, layer in weighted_layers(model).items()}


def test_scores_of_the_wrong_shape_are_a_sentence(net: nn.Module, calibration: Batch) -> None:
    with pytest.raises(RecipeError, match=r"crooked: scores of stage1\.0 must be \(8, 1, 3, 3\), got \(8,\)"):
        mask_weights(net, Crooked(), 0.5, calibration)


@pytest.mark.parametrize("count", [0, 1, 37, 500, 999, 1000])
@pytest.mark.parametrize("kinds", [2, 7, 10**6])
@pytest.mark.parametrize("odd", [0, 300])
def test_the_lowest_are_those_of_a_stable_sort(count: int, kinds: int, odd: int) -> None:
    draw = torch.Generator().manual_seed(0)
    values = torch.randint(0, kinds, (1000,), generator=draw).float()
    values[torch.randperm(1000, generator=draw)[:odd]] = -torch.inf
    values[torch.randperm(1000, generator=draw)[: odd // 2]] = torch.nan
    wanted = torch.zeros(1000, dtype=torch.bool)
    wanted[values.argsort(stable=True)[:count]] = True
    assert torch.equal(lowest(values, count), wanted)
