"""Variational information distillation. Ahn et al. 2019, https://arxiv.org/abs/1904.05835."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Outputs
from compress.distill.stages import pairs, stages
from compress.distill.weighted import Weighted

FIRST_VARIANCE = 5.0
LEAST_VARIANCE = 1e-5


@dataclass(frozen=True)
class VID(Weighted):
    """Maximises the likelihood of the teacher's maps given the student's: `mean(0.5 ((mu(f_s) - f_t)^2 / v + log v))`.

    The term is summed over the stages matched from the end, the larger map pooled down first. `mu`, from `(B, C_s, H,
    W)` to `(B, C_t, H, W)`, is three 1x1 convolutions with ReLU between; `v = softplus(a) + 1e-5` `(C_t,)`, 5 at the
    start. Both are trained beside the student. In the paper the softened logits play no part. The term can be below
    zero.
    """

    name: ClassVar[str] = "vid"
    source: ClassVar[str] = "https://arxiv.org/abs/1904.05835"

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Return all stages."""
        return stages(model)

    def adapters(self, student: Outputs, teacher: Outputs, targets: Tensor) -> nn.Module:
        """Return a `Gaussian` a stage."""
        return nn.ModuleList(Gaussian(s.shape[1], t.shape[1]) for s, t in pairs(student, teacher))

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return the sum over stages of the mean over everything else."""
        assert isinstance(adapters, nn.ModuleList)
        matched = pairs(student, teacher)
        return torch.stack([layer(s, t) for layer, (s, t) in zip(adapters, matched, strict=True)]).sum()


class Gaussian(nn.Module):
    """A normal distribution of the teacher's map: mean `(B, C_t, H, W)` from the student, variance per channel."""

    def __init__(self, student: int, teacher: int) -> None:
        super().__init__()
        sizes = ((student, teacher), (teacher, teacher), (teacher, teacher))
        one, two, three = (nn.Conv2d(inner, outer, 1, bias=False) for inner, outer in sizes)
        self.mean = nn.Sequential(one, nn.ReLU(), two, nn.ReLU(), three)
        self.spread = nn.Parameter(torch.full((teacher,), math.log(math.expm1(FIRST_VARIANCE - LEAST_VARIANCE))))

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the negative log density of the teacher's map, but for a constant; a scalar mean."""
        variance = (functional.softplus(self.spread) + LEAST_VARIANCE).view(1, -1, 1, 1)
        apart: Tensor = self.mean(student) - teacher
        return 0.5 * (apart.square() / variance + variance.log()).mean()
