"""Knowledge distillation on softened logits. Hinton et al. 2015, https://arxiv.org/abs/1503.02531."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from compress.distill.distiller import Distiller, Outputs
from compress.errors import check_above_zero, check_at_least
from compress.goals import LABELS, Goal


@dataclass(frozen=True)
class KD(Distiller):
    """`w_ce CE(z_s, y) + w_kd T^2 KL(softmax(z_t / T) || softmax(z_s / T))`, KL summed over classes, batch mean.

    The two published settings of the weights are (.1, .9) and (1, 1); their results differ by about a point. Of other
    goals than classification CE is the goal's loss and KL its imitation (`compress/goals`).
    """

    name: ClassVar[str] = "kd"
    source: ClassVar[str] = "https://arxiv.org/abs/1503.02531"

    w_ce: float = 0.1
    w_kd: float = 0.9
    temperature: float = 4.0

    def __post_init__(self) -> None:
        check_at_least(f"{self.name}: w_ce", self.w_ce, 0)
        check_at_least(f"{self.name}: w_kd", self.w_kd, 0)
        check_above_zero(f"{self.name}: temperature", self.temperature)

    def loss(
        self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module, goal: Goal = LABELS
    ) -> Tensor:
        """Return the loss, from the logits alone."""
        hard = goal.loss(student.logits, targets)
        soft = goal.imitate(student.logits, teacher.logits, targets, self.temperature)
        return self.w_ce * hard + self.w_kd * goal.softening(self.temperature) * soft
