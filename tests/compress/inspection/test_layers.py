"""Layers: channels, ranks and zeros of a network beside those of the unpruned network."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.inspection.layers import Layer, compare, layer_of, original
from compress.lowrank import SVD
from compress.lowrank.factorizer import factorize
from compress.models import Model
from compress.pruning import L1Unstructured
from compress.pruning.masks import mask_weights
from compress.pruning.narrow import narrow
from compress.quantize.int8 import Int8
from compress.store.files import Files

Network = Callable[[], nn.Module]


@pytest.fixture
def made() -> Network:
    """A new resnet20 of a quarter of the width, always with the same weights."""

    def make() -> nn.Module:
        torch.manual_seed(0)
        return Model("resnet20", 0.25).build(10, 1).eval()

    return make


def test_a_network_is_as_its_constructor_made_it(made: Network) -> None:
    pairs = compare(made(), made())
    assert all(pair.before == pair.now for pair in pairs.values())
    assert {pair.now.kind for pair in pairs.values() if pair.now} == {"convolution", "linear"}
    assert len(pairs) == 22


def test_a_masked_network_keeps_its_channels_and_says_its_zeros(made: Network, calibration: Batch) -> None:
    masked = mask_weights(made(), L1Unstructured(), 0.9, calibration)
    pairs = compare(made(), masked)
    now = [pair.now for pair in pairs.values() if pair.now]
    assert all(pair.before and pair.now and pair.before.channels == pair.now.channels for pair in pairs.values())
    assert sum(layer.zeros for layer in now) == sum(int((p == 0).sum()) for p in masked.parameters() if p.dim() > 1)
    assert any(layer.live < layer.channels for layer in now)


def test_a_factorized_layer_is_one_layer_with_its_rank(made: Network) -> None:
    small = factorize(made(), SVD(), 0.5)
    pairs = compare(made(), small)
    paired = {path: pair for path, pair in pairs.items() if pair.now and pair.now.rank is not None}
    assert paired
    assert list(pairs) == list(compare(made(), made()))
    for path, pair in paired.items():
        thin, wide = small.get_submodule(path).children()
        assert pair.now == layer_of([thin, wide])
        assert pair.now.rank == thin.get_parameter("weight").shape[0]
        assert pair.before
        assert pair.now.channels == pair.before.channels


def test_a_narrowed_network_has_fewer_channels_where_shortcuts_add(made: Network, images: Tensor) -> None:
    pairs = compare(made(), narrow(made(), 0.5, images[:4]))
    fewer = [
        path for path, pair in pairs.items() if pair.now and pair.before and pair.now.channels < pair.before.channels
    ]
    assert fewer
    assert "fc" not in fewer


def test_int8_layers_are_layers(made: Network, images: Tensor) -> None:
    pairs = compare(made(), Int8().convert(made(), images[:8]))
    assert all(pair.now and pair.before and pair.now.channels == pair.before.channels for pair in pairs.values())


def test_layers_that_are_gone_or_added_are_said() -> None:
    before = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 1))
    after = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Identity(), nn.Linear(2, 3))
    pairs = compare(before, after)
    assert pairs["1"].now is None
    assert pairs["2"].before is None
    assert pairs["2"].now == Layer("linear", 3, 3, 6, 0)


def test_channels_of_a_transposed_convolution_are_its_outputs() -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, groups=2)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        layer.weight[2:, 1] = 0  # the second output of the second group
    assert layer_of([layer]) == Layer("convolution", 6, 5, 4 * 3 * 9, 18)


def test_the_original_is_built_from_the_files_and_leaves_the_random_state(trained: Files) -> None:
    before = torch.get_rng_state()
    found = original(trained)
    assert torch.equal(torch.get_rng_state(), before)
    wanted = trained.module()
    assert [p.shape for p in found.parameters()] == [p.shape for p in copy.deepcopy(wanted).parameters()]
