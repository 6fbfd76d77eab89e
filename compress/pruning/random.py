"""Random: remove random channels, the baseline of every score. Mittal et al. 2018, https://arxiv.org/abs/1801.10447."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.errors import check_whole
from compress.pruning.pruner import Pruner, weighted_layers


@dataclass(frozen=True)
class Random(Pruner):
    """Channel importance is drawn uniformly from [0, 1): the same for the same `seed`, whatever the weights."""

    name: ClassVar[str] = "random"
    source: ClassVar[str] = "https://arxiv.org/abs/1801.10447"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    seed: int = 0
    spare_shortcuts: bool = False

    def __post_init__(self) -> None:
        check_whole(f"{self.name}: seed", self.seed, 0)

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return scores `(out_channels,)` for every convolution and linear layer."""
        generator = torch.Generator().manual_seed(self.seed)
        return {
            name: torch.rand(layer.weight.shape[0], generator=generator).to(layer.weight)
            for name, layer in weighted_layers(model).items()
        }
