"""L2-filter: remove channels whose filters have the smallest L2 norm. He et al. 2018,
https://arxiv.org/abs/1808.06866."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from compress.data.splits import Batch
from compress.pruning.pruner import Pruner, weighted_layers


@dataclass(frozen=True)
class L2Filter(Pruner):
    """Channel importance is `sqrt(sum w^2)` over the filter."""

    name: ClassVar[str] = "l2-filter"
    source: ClassVar[str] = "https://arxiv.org/abs/1808.06866"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    spare_shortcuts: bool = False

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return scores `(out_channels,)` for every convolution and linear layer."""
        return {name: layer.weight.detach().flatten(1).norm(dim=1) for name, layer in weighted_layers(model).items()}
