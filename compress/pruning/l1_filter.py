"""L1-filter: remove channels whose filters have the smallest L1 norm. Li et al. 2017,
https://arxiv.org/abs/1608.08710."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from compress.data.splits import Batch
from compress.pruning.pruner import Pruner, weighted_layers


@dataclass(frozen=True)
class L1Filter(Pruner):
    """Channel importance is `sum abs(w)` over the filter."""

    name: ClassVar[str] = "l1-filter"
    source: ClassVar[str] = "https://arxiv.org/abs/1608.08710"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    spare_shortcuts: bool = False

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return scores `(out_channels,)` for every convolution and linear layer."""
        return {name: layer.weight.detach().abs().flatten(1).sum(1) for name, layer in weighted_layers(model).items()}
