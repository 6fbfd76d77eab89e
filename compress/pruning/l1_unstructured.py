"""L1 unstructured: zero the weights of smallest magnitude. Han et al. 2015, https://arxiv.org/abs/1506.02626."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.errors import check_known
from compress.pruning.pruner import Pruner, weighted_layers


@dataclass(frozen=True)
class L1Unstructured(Pruner):
    """Importance of a weight of a convolution or linear layer is `abs(w)`; biases and BN are spared.

    `scope` "global" compares weights over all layers, "layer" within each, so that every layer loses the same share.
    `spare_ends` leaves the first and the last layer alone.
    """

    name: ClassVar[str] = "l1-unstructured"
    source: ClassVar[str] = "https://arxiv.org/abs/1506.02626"
    granularity: ClassVar[Literal["channel", "weight"]] = "weight"

    scope: str = "global"
    spare_ends: bool = False

    def __post_init__(self) -> None:
        check_known(f"{self.name}: scope", self.scope, ("global", "layer"))

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return magnitudes, or with scope "layer" ranks within the layer in (0, 1], in the shape of each weight."""
        layers = list(weighted_layers(model).items())
        if self.spare_ends:
            layers = layers[1:-1]
        magnitudes = {name: layer.weight.detach().abs() for name, layer in layers}
        return magnitudes if self.scope == "global" else {n: _ranks(m) for n, m in magnitudes.items()}


def _ranks(values: Tensor) -> Tensor:
    order = values.flatten().argsort(stable=True)
    ranks = torch.empty_like(order).scatter_(0, order, torch.arange(1, len(order) + 1, device=order.device))
    return (ranks / values.numel()).reshape(values.shape)
