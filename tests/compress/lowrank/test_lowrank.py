"""Low rank: factors that give back the layer, and ranks that give the wanted size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.pruning.pruner import weight_count, weighted_layers

CONVS = [
    nn.Conv2d(3, 5, 3),
    nn.Conv2d(3, 5, 3, stride=2, padding=1, bias=False),
    nn.Conv2d(3, 5, 3, padding=2, dilation=2),
    nn.Conv2d(3, 5, (3, 5), stride=(1, 2), padding=(0, 2), dilation=(2, 1)),
    nn.Conv2d(6, 5, 1),
]


def spectrum_of(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("layer", CONVS, ids=str)
def test_full_rank_gives_back_the_convolution(layer: nn.Conv2d) -> None:
    shown = torch.randn(2, layer.in_channels, 9, 9)
    rank = min(SVD().matrix(layer).shape)
    torch.testing.assert_close(SVD().factors(layer, rank)(shown), layer(shown), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_full_rank_gives_back_the_linear_layer(bias: bool) -> None:
    layer, shown = nn.Linear(7, 4, bias=bias), torch.randn(3, 7)
    torch.testing.assert_close(SVD().factors(layer, 4)(shown), layer(shown), rtol=1e-5, atol=1e-5)


def test_a_convolution_becomes_a_tall_and_a_wide_one() -> None:
    first, second = SVD().factors(nn.Conv2d(3, 5, 3, stride=2, padding=1), 4)
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.Conv2d)
    assert (first.weight.shape, second.weight.shape) == ((4, 3, 3, 1), (5, 4, 1, 3))
    assert (first.stride, first.padding) == ((2, 1), (1, 0))
    assert (second.stride, second.padding) == ((1, 2), (0, 1))


def test_the_truncated_factors_are_the_nearest_of_their_rank() -> None:
    layer = nn.Linear(8, 6, bias=False)
    first, second = (part.get_parameter("weight").detach() for part in SVD().factors(layer, 2))
    gone = torch.linalg.svdvals(layer.weight.detach())[2:]
    error = torch.linalg.norm(layer.weight.detach() - second @ first)
    assert float(error) == pytest.approx(float(gone.square().sum().sqrt()), rel=1e-4)


def test_both_factors_carry_the_same_share_of_the_singular_values() -> None:
    first, second = (part.get_parameter("weight") for part in SVD().factors(nn.Linear(8, 6), 3))
    torch.testing.assert_close(first @ first.T, second.T @ second, rtol=1e-4, atol=1e-5)


def test_energy_keeps_the_first_rank_that_holds_the_share() -> None:
    spectrum = spectrum_of(3, 2, 1, 1)  # energies 9, 13, 14, 15 of 15
    assert [SVD("energy").rank(spectrum, s) for s in (0.0, 0.59, 0.61, 0.86, 0.88, 1.0)] == [1, 1, 2, 2, 3, 4]


def test_ratio_keeps_a_share_of_the_rank_whatever_the_energy() -> None:
    spectrum = spectrum_of(100, 1, 1, 1)
    assert [SVD("ratio").rank(spectrum, s) for s in (0.0, 0.25, 0.26, 0.5, 1.0)] == [1, 1, 2, 2, 4]


@pytest.mark.parametrize("model", [Model("cnn"), Model("resnet20", 0.5)], ids=str)
@pytest.mark.parametrize("keep", ["energy", "ratio"])
@pytest.mark.parametrize("sparsity", [0.2, 0.5, 0.7])
def test_the_sparsity_is_reached_and_not_far_passed(model: Model, keep: str, sparsity: float) -> None:
    torch.manual_seed(0)
    net = model.build(10, 1)
    full = weight_count(net)
    factorize(net, SVD(keep), sparsity)
    assert sparsity <= 1 - weight_count(net) / full <= sparsity + 0.08


def test_a_layer_that_would_grow_is_left_alone() -> None:
    net = nn.Sequential(nn.Linear(40, 40), nn.Linear(40, 1), nn.Conv2d(1, 1, 1))
    factorize(net, SVD(), 0.3)
    assert [type(part) for part in net] == [nn.Sequential, nn.Linear, nn.Conv2d]


def test_grouped_convolutions_are_left_alone() -> None:
    net = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 32, 3))
    factorize(net, SVD(), 0.5)
    assert isinstance(net[0], nn.Conv2d)
    assert isinstance(net[1], nn.Sequential)


def test_grouped_convolutions_count_among_the_weights() -> None:
    net = nn.Sequential(nn.Conv2d(32, 32, 3, groups=8), nn.Conv2d(32, 32, 3))
    full = weight_count(net)
    factorize(net, SVD(), 0.5)
    assert 0.4 * full <= weight_count(net) <= 0.5 * full


def test_ratio_spends_the_same_share_of_rank_in_every_layer() -> None:
    net = nn.Sequential(nn.Linear(40, 40), nn.Linear(40, 20), nn.Linear(80, 80))
    factorize(net, SVD("ratio"), 0.5)
    shares = [layer.weight.shape[0] / full for layer, full in zip([p[0] for p in net], (40, 20, 80), strict=True)]  # type: ignore[index]
    assert max(shares) - min(shares) <= 1 / 20


def test_a_sparsity_out_of_reach_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match=r"svd: sparsity must be at most 0\.950 here, got 0\.96"):
        factorize(nn.Sequential(nn.Linear(40, 40)), SVD(), 0.96)


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize("padding", ["same", "valid", (1, 2)], ids=str)
def test_at_full_rank_the_border_is_that_of_the_layer(padding: str | tuple[int, int], mode: Any) -> None:
    torch.manual_seed(0)
    layer, images = nn.Conv2d(2, 3, (3, 5), padding=padding, padding_mode=mode), torch.randn(2, 2, 7, 7)
    with torch.no_grad():
        torch.testing.assert_close(SVD().factors(layer, 6)(images), layer(images), rtol=1e-4, atol=1e-5)


def test_the_product_of_a_pair_is_the_layers_weight_at_full_rank() -> None:
    for layer, rank in ((nn.Linear(5, 4), 4), (nn.Conv2d(2, 3, (3, 2)), 6)):
        pair = SVD().factors(layer, rank)
        torch.testing.assert_close(SVD().product(pair, layer).float(), layer.weight.detach(), rtol=1e-4, atol=1e-5)


def test_a_layer_under_two_names_is_left_whole_and_nothing_grows() -> None:
    shared = nn.Linear(40, 40)
    net = nn.Sequential(nn.Linear(40, 40), shared, shared)
    factorize(net, SVD(), 0.3)
    assert net[1] is shared
    assert net[2] is shared
    assert isinstance(net[0], nn.Sequential)


def test_the_layers_keep_their_places() -> None:
    net = Model("cnn", 0.5).build(10, 1)
    factorize(net, SVD(), 0.5)
    assert {path.split(".")[0] for path in weighted_layers(net)} == {"stage1", "stage2", "stage3", "classifier"}
