"""Shared base of the methods beside KD: their own term is added to the two terms on the logits."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from compress.distill.distiller import Distiller, Outputs
from compress.distill.kd import KD
from compress.errors import check_above_zero, check_at_least
from compress.goals import LABELS, Goal


@dataclass(frozen=True)
class Weighted(Distiller):
    """`w_ce CE(z_s, y) + w_kd T^2 KL(softmax(z_t / T) || softmax(z_s / T)) + beta * term`.

    Published comparisons run these methods with `w_kd` 0 and with `w_kd` 1; the results differ by about a point.
    """

    w_ce: float = 1.0
    w_kd: float = 0.0
    temperature: float = 4.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        for weight in ("w_ce", "w_kd", "beta"):
            check_at_least(f"{self.name}: {weight}", getattr(self, weight), 0)
        check_above_zero(f"{self.name}: temperature", self.temperature)

    @abstractmethod
    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return the method's own term, a scalar."""

    @final
    def loss(
        self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module, goal: Goal = LABELS
    ) -> Tensor:
        """Return the weighted sum."""
        logits = KD(self.w_ce, self.w_kd, self.temperature).loss(student, teacher, targets, adapters, goal)
        return logits + self.beta * self.term(student, teacher, adapters)
