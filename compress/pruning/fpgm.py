"""FPGM: remove filters near the geometric median of their layer, which the others can replace.

He et al. 2019, https://arxiv.org/abs/1811.00250.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.pruning.pruner import Pruner, weighted_layers


@dataclass(frozen=True)
class FPGM(Pruner):
    """Importance of filter `F_j` is the sum of L2 distances to all filters of the layer, `sum_k norm(F_j - F_k)`."""

    name: ClassVar[str] = "fpgm"
    source: ClassVar[str] = "https://arxiv.org/abs/1811.00250"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    spare_shortcuts: bool = False

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return scores `(out_channels,)` for every convolution and linear layer; 0 where all filters are equal."""
        return {name: _distances(layer.weight.detach().flatten(1)) for name, layer in weighted_layers(model).items()}


def _distances(filters: Tensor) -> Tensor:
    # Through the matrix product, cdist's default for many rows, equal filters come out some 1e-3 apart.
    return torch.cdist(filters, filters, compute_mode="donot_use_mm_for_euclid_dist").sum(1)
