"""Weight pruning: set the weights with the lowest scores to zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.errors import RecipeError
from compress.pruning.pruner import Pruner


def mask_weights(model: nn.Module, pruner: Pruner, sparsity: float, calibration: Batch) -> nn.Module:
    """Zero `floor(sparsity * n)` of the `n` weights that the method scores, in place; return the model.

    Weights that are already zero go first, so a rising sparsity only adds zeros. RecipeError when a score does not have
    its weight's shape.
    """
    scores = pruner.scores(model, calibration)
    layers = {name: model.get_submodule(name).get_parameter("weight") for name in scores}
    for name, weight in layers.items():
        if scores[name].shape != weight.shape:
            raise RecipeError(
                f"{pruner.name}: scores of {name} must be {tuple(weight.shape)}, got {tuple(scores[name].shape)}"
            )
    ranked = torch.cat([scores[n].masked_fill(w == 0, -torch.inf).flatten() for n, w in layers.items()])
    gone = lowest(ranked, int(sparsity * ranked.numel() + 1e-9))
    masks = torch.split(gone, [w.numel() for w in layers.values()])
    with torch.no_grad():
        for weight, mask in zip(layers.values(), masks, strict=True):
            weight.masked_fill_(mask.reshape(weight.shape), 0.0)
    return model


def lowest(values: Tensor, count: int) -> Tensor:
    """Return a mask with True at the `count` smallest of `values` `(N,)`; of equal values the first, NaN is largest.

    A selection takes linear time; to sort millions of weights takes seconds.
    """
    gone = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    if count == 0:
        return gone
    last = values.kthvalue(count).values
    if last.isnan():
        gone[values.argsort(stable=True)[:count]] = True
        return gone
    gone = values < last
    ties = (values == last).nonzero().flatten()
    gone[ties[: count - int(gone.sum())]] = True
    return gone


def masked_parameters(model: nn.Module, pruner: Pruner, calibration: Batch) -> list[nn.Parameter]:
    """Return the weights whose zeros the recovery must keep."""
    return [model.get_submodule(name).get_parameter("weight") for name in pruner.scores(model, calibration)]
