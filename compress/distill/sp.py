"""Similarity-preserving distillation. Tung & Mori 2019, https://arxiv.org/abs/1907.09682."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Outputs
from compress.distill.stages import stages
from compress.distill.weighted import Weighted


@dataclass(frozen=True)
class SP(Weighted):
    """Preserves similarities: images similar to the teacher become similar to the student.

    `G = normalize_rows(F F^T)` `(B, B)` with `F = reshape(f, (B, -1))`: rows get unit length *after* the product. The
    term is `sum((G_s - G_t)^2) / B^2` at each network's last stage. Neither widths nor sizes need to match, and a
    smaller last batch is welcome; a single image has no pair, and the term is 0. Chen 2021
    (https://doi.org/10.1007/s40747-020-00248-y) sets `beta` to 1000. No adapters.
    """

    name: ClassVar[str] = "sp"
    source: ClassVar[str] = "https://arxiv.org/abs/1907.09682"

    beta: float = 3000.0

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Return the last stage."""
        return stages(model)[-1:]

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return the mean over the B^2 pairs of images."""
        (learning,), (knowing,) = student.taps.values(), teacher.taps.values()
        return functional.mse_loss(similarities(learning), similarities(knowing))


def similarities(maps: Tensor) -> Tensor:
    """Return the similarities of a batch's images, `(B, C, H, W)` to `(B, B)`, every row of length 1."""
    flat = maps.flatten(1)
    return functional.normalize(flat @ flat.T, dim=1)
