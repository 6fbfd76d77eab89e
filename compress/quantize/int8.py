"""Int8 after training: weights per output channel, activations from calibration. Jacob et al. 2018,
https://arxiv.org/abs/1712.05877; the setting of Krishnamoorthi 2018, https://arxiv.org/abs/1806.08342, section 3.

Weights are symmetric in [-127, 127] and stored as int8; the input of each layer is affine in [0, 255] with the range
seen in calibration. The layers compute on dequantized integers, which is what an integer kernel gives up to float
rounding, so accuracy is the integer program's. Layers of our own, not a converted graph: torchao's PT2E result can only
be kept as a `.pt2` program, whose graph outweighs the weights of a small network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.pruning.pruner import weighted_layers
from compress.quantize.quantizer import Quantizer


class _Int8(nn.Module):
    """Int8 `weight` with one `weight_scale` an output channel, and the affine range of the input."""

    weight: nn.Parameter
    weight_scale: Tensor
    input_scale: Tensor
    input_zero: Tensor

    def hold(self, shape: tuple[int, ...], bias: bool) -> None:
        """Make room for a weight of `shape`."""
        self.weight = nn.Parameter(torch.zeros(shape, dtype=torch.int8), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(shape[0]), requires_grad=False) if bias else None
        self.register_buffer("weight_scale", torch.ones(shape[0]))
        self.register_buffer("input_scale", torch.ones(()))
        self.register_buffer("input_zero", torch.zeros(()))

    def take(self, layer: nn.Conv2d | nn.Linear, low: float, high: float) -> None:
        """Quantize a float layer whose inputs lie in `[low, high]`."""
        low, high = min(low, 0.0), max(high, 0.0)
        weight = layer.weight.detach()
        self.weight_scale = weight.abs().flatten(1).amax(1).clamp(min=1e-12) / 127
        scale = self.weight_scale.reshape(-1, *[1] * (weight.dim() - 1))
        self.weight.data = (weight / scale).round().clamp(-127, 127).to(torch.int8)
        self.input_scale = torch.tensor(max(high - low, 1e-12) / 255, device=weight.device)
        self.input_zero = torch.round(-low / self.input_scale)
        if layer.bias is not None and self.bias is not None:
            self.bias.data = layer.bias.detach().clone()

    def floats(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The input and the weight as their quantized values, in float."""
        steps = (x / self.input_scale + self.input_zero).round().clamp(0, 255)
        scale = self.weight_scale.reshape(-1, *[1] * (self.weight.dim() - 1))
        return (steps - self.input_zero) * self.input_scale, self.weight.to(x.dtype) * scale


class Int8Conv2d(_Int8):
    """A convolution with int8 weights; arguments as of `nn.Conv2d`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
        bias: bool,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.hold((out_channels, in_channels // groups, *kernel_size), bias)

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Conv2d`."""
        x, weight = self.floats(x)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Int8Linear(_Int8):
    """A linear layer with int8 weights."""

    def __init__(self, in_features: int, out_features: int, bias: bool) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.hold((out_features, in_features), bias)

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Linear`."""
        x, weight = self.floats(x)
        return functional.linear(x, weight, self.bias)


@dataclass(frozen=True)
class Int8(Quantizer):
    """Every convolution and linear layer; BN and biases stay float."""

    name: ClassVar[str] = "int8"
    source: ClassVar[str] = "https://arxiv.org/abs/1712.05877"

    def convert(self, model: nn.Module, calibration: Tensor) -> nn.Module:
        """Ranges are the least and greatest input of each layer over the calibration images."""
        layers = weighted_layers(model)
        ranges: dict[str, tuple[float, float]] = {}

        def watch(name: str) -> torch.utils.hooks.RemovableHandle:
            def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
                ranges[name] = (float(inputs[0].min()), float(inputs[0].max()))

            return layers[name].register_forward_pre_hook(hook)

        hooks = [watch(name) for name in layers]
        with torch.no_grad():
            model.eval()(calibration)
        for hook in hooks:
            hook.remove()
        for name, (low, high) in ranges.items():
            model.set_submodule(name, _int8_of(layers[name], low, high))
        return model


def _int8_of(layer: nn.Conv2d | nn.Linear, low: float, high: float) -> nn.Module:
    has_bias = layer.bias is not None
    new: Int8Conv2d | Int8Linear
    if isinstance(layer, nn.Linear):
        new = Int8Linear(layer.in_features, layer.out_features, has_bias)
    else:
        geometry = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        size, stride, padding, dilation = (_two(v) for v in geometry)
        new = Int8Conv2d(layer.in_channels, layer.out_channels, size, stride, padding, dilation, layer.groups, has_bias)
    new.take(layer, low, high)
    return new


def _two(value: str | tuple[int, ...]) -> tuple[int, int]:
    if isinstance(value, str):
        raise ValueError(f"int8: padding must be given as numbers, got {value!r}")
    y, x = value
    return y, x
