"""Quantize to int8 after training: weights per output channel, activations from calibration.

Jacob et al. 2018, https://arxiv.org/abs/1712.05877; the setting of Krishnamoorthi 2018,
https://arxiv.org/abs/1806.08342, section 3.

Weights are symmetric in [-127, 127] and stored as int8. The input of each layer is affine in [0, 255], with the range
seen in calibration. The layers compute on dequantized integers, as an integer kernel does up to float rounding, so the
accuracy is that of the integer program. The layers are our own, not a converted graph: torchao's PT2E result can only
be kept as a `.pt2` program, whose graph outweighs the weights of a small network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.agreement import IMAGES, activations, changed_at
from compress.errors import RecipeError, said
from compress.opaque import doubly_named, opaque_layers, sentence
from compress.pruning.pruner import weighted_layers
from compress.quantize.quantizer import Quantizer


class _Int8(nn.Module):
    """A layer with an int8 `weight`, one `weight_scale` an output channel, and the affine range of the input."""

    weight: nn.Parameter
    weight_scale: Tensor
    input_scale: Tensor
    input_zero: Tensor

    def allocate(self, shape: tuple[int, ...], bias: bool) -> None:
        """Allocate the parameters and buffers for a weight of `shape`."""
        self.weight = nn.Parameter(torch.zeros(shape, dtype=torch.int8), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(shape[0]), requires_grad=False) if bias else None
        self.register_buffer("weight_scale", torch.ones(shape[0]))
        self.register_buffer("input_scale", torch.ones(()))
        self.register_buffer("input_zero", torch.zeros(()))

    def quantize(self, layer: nn.Conv2d | nn.Linear, low: float, high: float) -> None:
        """Quantize the float layer `layer`, with inputs in `[low, high]`."""
        low, high = min(low, 0.0), max(high, 0.0)
        weight = layer.weight.detach()
        self.weight_scale = weight.abs().flatten(1).amax(1).clamp(min=1e-12) / 127
        self.weight.data = (weight / self.scale).round().clamp(-127, 127).to(torch.int8)
        self.input_scale = torch.tensor(max(high - low, 1e-12) / 255, device=weight.device)
        self.input_zero = torch.round(-low / self.input_scale)
        if layer.bias is not None and self.bias is not None:
            self.bias.data = layer.bias.detach().clone()

    def floats(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input and the weight rounded to their quantized values, in float."""
        steps = (x / self.input_scale + self.input_zero).round().clamp(0, 255)
        return (steps - self.input_zero) * self.input_scale, self.weight.to(x.dtype) * self.scale

    @property
    def scale(self) -> Tensor:
        """Return the scale of each output channel, in a shape that multiplies the weight."""
        return self.weight_scale.reshape(-1, *[1] * (self.weight.dim() - 1))


class Int8Conv2d(_Int8):
    """A convolution with int8 weights and the arguments of `nn.Conv2d`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: str | tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
        bias: bool,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.padding_mode = padding_mode
        self.allocate((out_channels, in_channels // groups, *kernel_size), bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve like `nn.Conv2d`."""
        x, weight = self.floats(x)
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = functional.pad(x, self._borders(), self.padding_mode), (0, 0)
        return functional.conv2d(x, weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _borders(self) -> list[int]:
        """Return left, right, top and bottom padding for `functional.pad`; an odd "same" adds right and below."""
        if self.padding == "valid":
            return [0, 0, 0, 0]
        if not isinstance(self.padding, str):
            y, x = self.padding
            return [x, x, y, y]
        high, wide = (d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True))
        return [wide // 2, wide - wide // 2, high // 2, high - high // 2]


class Int8Linear(_Int8):
    """A linear layer with int8 weights."""

    def __init__(self, in_features: int, out_features: int, bias: bool) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.allocate((out_features, in_features), bias)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply like `nn.Linear`."""
        x, weight = self.floats(x)
        return functional.linear(x, weight, self.bias)


@dataclass(frozen=True)
class Int8(Quantizer):
    """Quantizes every convolution and linear layer that need not be kept whole; BN and biases stay float."""

    name: ClassVar[str] = "int8"
    source: ClassVar[str] = "https://arxiv.org/abs/1712.05877"

    def convert(self, model: nn.Module, calibration: Tensor) -> nn.Module:
        """Convert the layers, with the least and greatest input of each over the calibration images as its range.

        RecipeError when no layer can be converted, or when a layer is read otherwise than by its call.
        """
        whole = {**opaque_layers(model), **doubly_named(model)}
        layers = {name: layer for name, layer in weighted_layers(model).items() if name not in whole}
        made = {name: _int8_of(layers[name], *ends) for name, ends in _ranges(model, layers, calibration).items()}
        if not made:
            raise RecipeError(f"int8: the network must have a layer of its own to convert, got none{sentence(whole)}")
        shown = calibration[:IMAGES]
        with _rounded(layers, made):
            wanted = activations(model, shown, made)
        for name, layer in made.items():
            model.set_submodule(name, layer)
        try:
            at = changed_at(wanted, activations(model, shown, made))
        except Exception as error:  # a user's own forward raises anything
            raise RecipeError(f"{_RULE}, got {said(error)}; {_REMEDY}") from error
        if at is not None:
            raise RecipeError(f"{_RULE}, {at or 'the network'} computes something else; {_REMEDY}")
        return model


_RULE = "int8: a layer must be read by its call alone"
_REMEDY = "call the layer in place of reading its weight, or use a pruning method"


def _ranges(
    model: nn.Module, layers: Mapping[str, nn.Conv2d | nn.Linear], images: Tensor
) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest input of every called layer, over all its calls."""
    found: dict[str, tuple[float, float]] = {}
    with ExitStack() as hooks:
        for name, layer in layers.items():

            def watch(_: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                low, high = float(inputs[0].min()), float(inputs[0].max())
                before = found.get(name, (low, high))
                found[name] = min(low, before[0]), max(high, before[1])

            hooks.callback(layer.register_forward_pre_hook(watch).remove)
        with torch.no_grad():
            model.eval()(images.clone())
    return found


@contextmanager
def _rounded(layers: Mapping[str, nn.Conv2d | nn.Linear], made: Mapping[str, _Int8]) -> Iterator[None]:
    """Let the float layers compute on the rounded weights and inputs of their int8 layers inside the context."""
    before = {name: layers[name].weight.detach().clone() for name in made}
    with ExitStack() as hooks, torch.no_grad():
        for name, layer in made.items():
            weight = layers[name].weight

            def round_input(_: nn.Module, given: tuple[Tensor, ...], layer: _Int8 = layer) -> Tensor:
                return layer.floats(given[0])[0]

            weight.copy_(layer.weight.to(weight.dtype) * layer.scale)
            hooks.callback(layers[name].register_forward_pre_hook(round_input).remove)
        yield
        for name, weight in before.items():
            layers[name].weight.copy_(weight)


def _int8_of(layer: nn.Conv2d | nn.Linear, low: float, high: float) -> _Int8:
    has_bias = layer.bias is not None
    new: Int8Conv2d | Int8Linear
    if isinstance(layer, nn.Linear):
        new = Int8Linear(layer.in_features, layer.out_features, has_bias)
    else:
        new = Int8Conv2d(
            layer.in_channels,
            layer.out_channels,
            _pair(layer.kernel_size),
            _pair(layer.stride),
            layer.padding if isinstance(layer.padding, str) else _pair(layer.padding),
            _pair(layer.dilation),
            layer.groups,
            has_bias,
            layer.padding_mode,
        )
    new.quantize(layer, low, high)
    return new


def _pair(value: tuple[int, ...]) -> tuple[int, int]:
    y, x = value
    return y, x
