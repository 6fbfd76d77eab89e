"""Taylor: remove channels with the least effect on the loss, to first order.

Molchanov et al. 2019, https://arxiv.org/abs/1906.10771.

To first order, zeroing weight `w` changes the loss by `g w` with `g` its gradient; the paper squares the change and
sums over a filter. The paper averages the squares over mini-batches; here the calibration images are a single batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from compress.data.splits import Batch
from compress.pruning.pruner import Pruner, in_eval_mode, weighted_layers


@dataclass(frozen=True)
class Taylor(Pruner):
    """Channel importance is `sum (g w)^2` over the filter, `g` the gradient of the goal's loss."""

    name: ClassVar[str] = "taylor"
    source: ClassVar[str] = "https://arxiv.org/abs/1906.10771"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    spare_shortcuts: bool = False

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return scores `(out_channels,)` for every convolution and linear layer; BN uses its running statistics."""
        weights = {
            f"{name}.weight": layer.weight.detach().requires_grad_() for name, layer in weighted_layers(model).items()
        }
        with in_eval_mode(model), torch.enable_grad():
            logits = functional_call(model, weights, (calibration.images,))
            loss = calibration.goal.loss(logits, calibration.targets)
            gradients = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
        return {
            name.removesuffix(".weight"): (gradient * weight.detach()).square().flatten(1).sum(1)
            for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
        }
