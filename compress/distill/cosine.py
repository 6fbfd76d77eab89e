"""Cosine similarity of maps and logits. Aghli & Ribeiro 2021, CVPR workshops.

https://openaccess.thecvf.com/content/CVPR2021W/EVW/html/
Aghli_Combining_Weight_Pruning_and_Knowledge_Distillation_for_CNN_Compression_CVPRW_2021_paper.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Distiller, Outputs
from compress.distill.stages import pairs, stages
from compress.errors import RecipeError, check_above_zero, check_at_least
from compress.goals import LABELS, Goal


@dataclass(frozen=True)
class Cosine(Distiller):
    """Turns the student's maps and logits into the direction of the teacher's.

    `lam (1 - cos(z_s, z_t)) + (1 - lam) / M sum_i (1 - cos(f_s^i, f_t^i))`, mean over the batch, times `beta`. `beta`
    is not the authors'; labels play no part. The M stages match from the end. Widths differ, so a map is *averaged over
    its channels* before the comparison: `(B, C, H, W)` to `(B, H W)`, the larger map pooled down first. No adapters.
    Outputs that are no logits are imitated by the goal's distance instead. The authors' teacher is a network already
    pruned. `lam` in [0, 1]: the authors' value is not known here, the default
    weighs both halves alike.
    """

    name: ClassVar[str] = "cosine"
    source: ClassVar[str] = (
        "https://openaccess.thecvf.com/content/CVPR2021W/EVW/html/"
        "Aghli_Combining_Weight_Pruning_and_Knowledge_Distillation_for_CNN_Compression_CVPRW_2021_paper.html"
    )

    lam: float = 0.5
    beta: float = 1.0

    def __post_init__(self) -> None:
        check_above_zero(f"{self.name}: beta", self.beta)
        check_at_least(f"{self.name}: lam", self.lam, 0)
        if self.lam > 1:
            raise RecipeError(f"{self.name}: lam must be at most 1, got {self.lam!r}")

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Return all stages."""
        return stages(model)

    def loss(
        self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module, goal: Goal = LABELS
    ) -> Tensor:
        """Return the loss, of logits in [0, 2 beta]."""
        maps = [cosine_distance(s.mean(1).flatten(1), t.mean(1).flatten(1)) for s, t in pairs(student, teacher)]
        if goal.softmax:
            logits = cosine_distance(student.logits, teacher.logits)
        else:  # a direction says nothing of values
            logits = goal.imitate(student.logits, teacher.logits, targets, 1.0)
        return self.beta * (self.lam * logits + (1 - self.lam) * torch.stack(maps).mean())


def cosine_distance(one: Tensor, other: Tensor) -> Tensor:
    """Return one minus the cosine between rows of `(B, D)`, mean over the batch; 1 for a row of zeros."""
    return (1 - functional.cosine_similarity(one, other, dim=1)).mean()
