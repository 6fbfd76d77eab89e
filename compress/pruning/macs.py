"""Count the MACs of a network, and how often each layer uses a weight for one image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

MEASURES = ("weights", "flops")
"""Amounts of which a cut may remove a share: weights, or the MACs of an image; the share of FLOPs is the same."""


def count_macs(model: nn.Module, image: Tensor) -> int:
    """Count the MACs of a module, left in eval mode, for one image `(1, C, H, W)`."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(image)
    return int(counter.get_total_flops()) // 2


def positions(model: nn.Module, layers: Mapping[str, nn.Conv2d | nn.Linear], image: Tensor) -> dict[str, int]:
    """Return by layer name how many MACs each weight takes for one image `(1, C, H, W)`: a MAC a position, all calls.

    The model is left in eval mode.
    """
    found: dict[str, int] = defaultdict(int)

    def note(name: str, output: Tensor) -> None:
        found[name] += prod(output.shape[2:]) if output.dim() == 4 else prod(output.shape[:-1])

    hooks = [layer.register_forward_hook(lambda *io, name=name: note(name, io[-1])) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            model.eval()(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found
