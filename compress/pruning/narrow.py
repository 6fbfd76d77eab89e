"""Narrow a network at its shortcuts: the same layers with fewer channels there, initialised anew.

Aghli & Ribeiro 2021, Combining Weight Pruning and Knowledge Distillation For CNN Compression: the insides of residual
branches were pruned before and keep their width; the narrow student then learns from the pruned network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.models.family import init_convolutions, scaled
from compress.pruning.channels import Channels


def narrow(model: nn.Module, width: float, images: Tensor) -> nn.Module:
    """Keep `width` in (0, 1) of the channels of every shortcut, at least one, in place; return the model.

    All layers are initialised afresh from torch's global random state. The cut is checked on `images` `(B, C, H, W)`.
    RecipeError for a model without shortcuts.
    """
    channels = Channels(model, images, spare_shortcuts=True)
    if not channels.spared:
        raise RecipeError(
            "narrow: the model must have channels that a shortcut fixes, got none; prune cuts all other channels"
        )
    kept = {group.root: scaled(group.channels, width) for group in channels.spared}
    channels.cut(kept, {name: torch.arange(layer.weight.shape[0], 0, -1) for name, layer in channels.layers.items()})
    for layer in model.modules():
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()
    init_convolutions(model)
    return model
