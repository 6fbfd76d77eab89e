"""Attention transfer. Zagoruyko & Komodakis 2017, https://arxiv.org/abs/1612.03928."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Outputs
from compress.distill.stages import pairs, stages
from compress.distill.weighted import Weighted
from compress.errors import check_known


@dataclass(frozen=True)
class AT(Weighted):
    """Attention transfer: teaches the student the teacher's attention map at every stage.

    `a = normalize(flatten(mean_c f^2))`, `(B, H W)`, has unit length an image; the term is summed over the stages
    matched from the end, with the larger map pooled down first. `distance` "square" is `mean((a_s - a_t)^2)`; "norm" is
    `mean_b norm(a_s - a_t) / 2`, equation 7 of Chen 2021 (https://doi.org/10.1007/s40747-020-00248-y), with `beta` 100.
    No adapters. The mean is over H W positions, so a given `beta` weighs more on smaller maps: the published value is
    for 32x32 images; on 8x8 images the term drowns the labels.
    """

    name: ClassVar[str] = "at"
    source: ClassVar[str] = "https://arxiv.org/abs/1612.03928"

    beta: float = 1000.0
    distance: str = "square"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known(f"{self.name}: distance", self.distance, ("square", "norm"))

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Return all stages."""
        return stages(model)

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return the sum over stages."""
        apart = [attention(s) - attention(t) for s, t in pairs(student, teacher)]
        if self.distance == "square":
            return torch.stack([a.square().mean() for a in apart]).sum()
        return torch.stack([a.norm(dim=1).mean() / 2 for a in apart]).sum()


def attention(maps: Tensor) -> Tensor:
    """Return the attention map, `(B, C, H, W)` to `(B, H W)`, of length 1; 0 for a map of zeros."""
    return functional.normalize(maps.square().mean(1).flatten(1), dim=1)
