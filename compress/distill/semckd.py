"""Semantic calibration: learn the weights between pairs of stages. Chen et al. 2021,
https://arxiv.org/abs/2012.03236."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Outputs
from compress.distill.stages import same_size, stages
from compress.distill.weighted import Weighted
from compress.errors import check_above_zero


@dataclass(frozen=True)
class SemCKD(Weighted):
    """Teaches every student stage i by every teacher stage j, weighted by how alike both find the same images.

    `sum_ij a_ij mean((p_ij(f_s^i) - f_t^j)^2)`, mean over batch and student stages. `a` `(B, I, J)` is the softmax over
    j of `query_i . key_j`. Queries and keys are made from an image's row of its stage's similarities `F F^T` `(B, B)`
    by a layer to B / 2, ReLU, a layer to B / 4, and scaling to unit length. The rows are as long as the batch, so all
    batches are full. Of two maps the larger is pooled down; `p_ij` are 1x1, 3x3 and 1x1 convolutions with batch norm
    and ReLU between, `inner` times the teacher's width inside. All these layers are trained beside the student. As in
    the paper the softened logits count too.

    Cost: every pair of stages trains three convolutions of its own, forward and backward, and at the published `inner`
    of 2 the middle convolution alone has four times the MACs of a convolution of the teacher's stage; no pair can be
    left out. On images of 8x8 the maps are so small that the number of operations, not their MACs, takes the time.
    """

    name: ClassVar[str] = "semckd"
    source: ClassVar[str] = "https://arxiv.org/abs/2012.03236"
    full_batches: ClassVar[bool] = True

    w_kd: float = 1.0
    beta: float = 400.0
    inner: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_above_zero("semckd: inner", self.inner)

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Return all stages."""
        return stages(model)

    def adapters(self, student: Outputs, teacher: Outputs, targets: Tensor) -> nn.Module:
        """Return queries, keys and projections, for batches of the present size."""
        widths = [[f.shape[1] for f in side.taps.values()] for side in (student, teacher)]
        return Attention(widths[0], widths[1], len(student.logits), self.inner)

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return the mean over batch and student stages."""
        assert isinstance(adapters, Attention)
        learning, knowing = list(student.taps.values()), list(teacher.taps.values())
        return (adapters.weights(learning, knowing) * adapters.errors(learning, knowing)).sum(2).mean()


class Attention(nn.Module):
    """Computes the weights and the errors of all pairs of stages."""

    def __init__(self, students: list[int], teachers: list[int], batch: int, inner: float) -> None:
        super().__init__()
        self.queries = nn.ModuleList(_embedding(batch) for _ in students)
        self.keys = nn.ModuleList(_embedding(batch) for _ in teachers)
        self.projections = nn.ModuleList(
            _projection(s, round(inner * t) or 1, t) for s, t in product(students, teachers)
        )

    def weights(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Return the weights `(B, I, J)`, of sum 1 over J."""
        queries, keys = (
            torch.stack(
                [functional.normalize(e(_similarities(f)), dim=1) for e, f in zip(layers, maps, strict=True)], dim=1
            )
            for layers, maps in ((self.queries, student), (self.keys, teacher))
        )
        return (queries @ keys.mT).softmax(dim=2)

    def errors(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Return the errors `(B, I, J)`, the mean square over channels and positions."""
        matched = zip(self.projections, product(student, teacher), strict=True)
        each = [_error(projection, *same_size(s, t)) for projection, (s, t) in matched]
        return torch.stack(each, dim=1).view(-1, len(student), len(teacher))


def _error(projection: nn.Module, student: Tensor, teacher: Tensor) -> Tensor:
    apart: Tensor = projection(student) - teacher
    return apart.square().mean((1, 2, 3))


def _similarities(maps: Tensor) -> Tensor:
    flat = maps.flatten(1)
    return flat @ flat.T


def _embedding(batch: int) -> nn.Module:
    width = max(1, batch // 4)
    return nn.Sequential(nn.Linear(batch, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))


def _projection(student: int, inner: int, teacher: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(student, inner, 1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, inner, 3, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, teacher, 1, bias=False),
    )
