"""Compactors: square matrices behind layers, folded with layer and BN into a single layer.

Ding et al. 2021, ResRep, https://arxiv.org/abs/2007.03260.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from compress.data.splits import Batch
from compress.pruning.targets import Target


class Compactor:
    """Multiplies a target's channels by `rows` `(channels, channels)`, at first the identity."""

    def __init__(self, target: Target) -> None:
        weight = target.layer.weight
        self.target = target
        self.rows = nn.Parameter(torch.eye(len(weight), dtype=weight.dtype, device=weight.device))
        self.hook: RemovableHandle = target.place.register_forward_hook(self._apply)

    def _apply(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        if isinstance(self.target.layer, nn.Linear):
            return functional.linear(output, self.rows)
        return functional.conv2d(output, self.rows[:, :, None, None])


def fold(model: nn.Module, compactors: Sequence[Compactor], calibration: Batch) -> None:
    """Fold the compactors into their layers, in place; leave the model in eval mode and without compactors.

    In eval mode the logits stay the same up to float error. With a BN of scale g, shift h, mean m and variance v, and a
    layer of weight W and bias c, the folded layer is `W' = Q diag(g / sqrt(v + eps)) W` and `b' = Q (g (c - m) / sqrt(v
    + eps) + h)`. A BN stays behind the folded layer, so that training can go on. The BN's mean and variance are set to
    the folded layer's on the calibration images; scale and shift undo both. Without a BN `W' = Q W`, `b' = Q c`.
    """
    found = moments(model, [compactor.target.place for compactor in compactors], calibration.images)
    for compactor, (mean, variance) in zip(compactors, found, strict=True):
        compactor.hook.remove()
        with torch.no_grad():
            _fold(compactor, mean, variance)


def _fold(compactor: Compactor, mean: Tensor, variance: Tensor) -> None:
    layer, norm, matrix = compactor.target.layer, compactor.target.norm, compactor.rows.detach().double()
    bias = layer.bias.detach().double() if layer.bias is not None else matrix.new_zeros(len(matrix))
    if norm is not None:
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()  # type: ignore[union-attr]
        bias = scale * (bias - norm.running_mean.double()) + norm.bias.double()  # type: ignore[union-attr]
        weight = matrix * scale @ layer.weight.double().flatten(1)
    else:
        weight = matrix @ layer.weight.double().flatten(1)
    shift = matrix @ bias
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    if layer.bias is not None:
        layer.bias.copy_(shift)
    if norm is not None:
        norm.running_mean.copy_(mean if layer.bias is not None else mean - shift)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)


def moments(model: nn.Module, places: Sequence[nn.Module], images: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return mean and variance of each place's output over images and positions, in float64: `(channels,)` each.

    The model is left in eval mode.
    """
    found: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def note(module: nn.Module, inputs: object, output: Tensor) -> None:
        channels = output.double().transpose(0, 1).flatten(1)
        found[module] = channels.mean(1), channels.var(1, correction=0)

    hooks: list[RemovableHandle] = [place.register_forward_hook(note) for place in places]
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
    return [found[place] for place in places]
