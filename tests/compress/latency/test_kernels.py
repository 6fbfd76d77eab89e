"""The work of a network is counted by the kernels that run it."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import Tensor, nn

from compress.latency.kernels import work
from compress.latency.target import Target
from compress.models import Model
from compress.quantize.int8 import Int8

ONNX, TORCH = Target("onnx"), Target("torch")
SIDE = 8


def counted(*layers: nn.Module, channels: int = 32, target: Target = ONNX) -> dict[str, float]:
    return work(nn.Sequential(*layers), (channels, SIDE, SIDE), target)


def test_normalisation_activation_and_addition_are_part_of_the_convolution_in_onnx_alone() -> None:
    layers = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()
    fused, apart = counted(*layers), counted(*layers, target=TORCH)
    assert fused["conv one"] == apart["conv one"] == 1
    assert "operations one" not in fused
    assert apart["operations one"] == 2

    class Added(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = layers[0]

        def forward(self, maps: Tensor) -> Tensor:
            return torch.relu(self.conv(maps) + maps)

    assert counted(Added())["added one"] == 1
    assert "operations one" not in counted(Added())


def test_channels_that_are_no_multiple_of_four_take_the_slower_kernel() -> None:
    even, odd = counted(nn.Conv2d(32, 48, 1)), counted(nn.Conv2d(33, 48, 1), channels=33)
    assert even["pointwise one"] == odd["pointwise unaligned one"] == 1
    deep, odd = (counted(nn.Conv2d(c, c, 3, groups=c), channels=c) for c in (32, 33))
    assert deep["depthwise one"] == odd["depthwise unaligned one"] == 1
    assert counted(nn.Conv2d(3, 16, 3), channels=3)["conv of few one"] == 1
    assert counted(nn.Conv2d(32, 32, 3, groups=2))["conv unaligned one"] == 1


def test_maps_are_reordered_where_one_kind_of_kernel_follows_the_other() -> None:
    assert counted(nn.Conv2d(3, 33, 1), nn.Conv2d(33, 32, 1), channels=3)["reorder one"] == 1
    assert "reorder one" not in counted(nn.Conv2d(3, 32, 1), nn.Conv2d(32, 32, 1), channels=3)
    assert counted(nn.Conv2d(3, 32, 1), nn.Hardswish(), channels=3)["reorder one"] == 1


def test_layers_of_integers_are_counted_apart_and_their_rounding_is_theirs() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)).eval()
    found = work(Int8().convert(model, torch.randn(4, 8, SIDE, SIDE)), (8, SIDE, SIDE), ONNX)
    assert found["int8 conv one"] == found["int8 linear one"] == 1
    assert not any(name.startswith(("conv", "linear")) for name in found)


def test_a_batch_is_as_many_positions_more() -> None:
    one, eight = (counted(nn.Conv2d(32, 32, 3), target=Target("onnx", "cpu", 1, batch)) for batch in (1, 8))
    assert eight["conv multiplications"] == 8 * one["conv multiplications"]
    assert eight["conv weights"] == one["conv weights"]


@pytest.mark.parametrize("target", [ONNX, TORCH], ids=str)
@pytest.mark.parametrize("name", ["resnet20", "wrn-16-1", "vgg8", "mobilenetv2", "densenet121", "nin"])
def test_every_layer_of_a_network_is_counted_once(name: str, target: Target) -> None:
    model = Model(name, width=0.25 if name in ("mobilenetv2", "densenet121") else 1.0).build(10, 3)
    found = work(model, (3, 32, 32), target)
    layers = sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in model.modules())
    kinds = ("conv", "pointwise", "depthwise", "linear")
    assert sum(count for kind, count in found.items() if kind.endswith(" one") and kind.startswith(kinds)) == layers
    whole = sum(layer.weight.numel() for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    assert found["cold weights"] == whole


def test_a_product_of_matrices_counts_its_multiplications_and_attention_its_layers() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, maps: Tensor) -> Tensor:
            rows: Tensor = self.layer(maps.flatten(2).transpose(1, 2))
            return rows

    found = counted(Tokens(), channels=16)
    tokens, width, inner = SIDE * SIDE, 16, 32
    linear = tokens * width * (3 * width + width + 2 * inner)
    attended = 2 * tokens * tokens * width
    assert found["pointwise unaligned multiplications"] == pytest.approx(linear + attended)
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_pass_is_followed_without_keeping_its_maps() -> None:
    kept: list[weakref.ref[Tensor]] = []

    class Deep(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            for _ in range(5):
                maps = maps * 2
                kept.append(weakref.ref(maps))
            assert sum(one() is not None for one in kept) == 1
            return maps

    counted(Deep())
