"""Distillation: the student trains under the recipe's teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from compress.distill import Distiller
from compress.encoding import encode
from compress.errors import check_kind, check_whole
from compress.stages.lesson import Lesson, check_distillation
from compress.stages.stage import Stage
from compress.stages.train import Train
from compress.stages.words import epochs, method_and_settings
from compress.training.settings import Training

if TYPE_CHECKING:
    from compress.models import Model


@dataclass(frozen=True)
class Distill(Stage):
    """Train the student, from scratch or from its own weights, under the recipe's teacher."""

    name: ClassVar[str] = "distill"
    code: ClassVar[int] = 2
    begins: ClassVar[bool] = True

    method: Distiller
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        check_kind("distill: method", self.method, (Distiller,))
        check_kind("distill: training", self.training, (Training,))
        check_whole("distill: training: epochs", self.training.epochs, 1)
        check_distillation("distill", self.method, self.training)

    @property
    def lesson(self) -> Lesson:
        """Return the training under the recipe's teacher."""
        return Lesson(self.training, distiller=self.method, teacher="teacher")

    def retrained(self, change: Callable[[Lesson], Training]) -> Distill:
        """Return the stage with a changed training."""
        return replace(self, training=change(self.lesson))

    def made_from(self) -> dict[str, object]:
        """Return the whole stage."""
        return {"stage": encode(self)}

    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return the teacher, the method and the length of the training."""
        return f"taught by {teacher} with {method_and_settings(self.method)}: {epochs(self.training)}"

    def structural(self) -> Stage:
        """Return the stage if its method ships layers, else a training on labels with the same resulting structure."""
        return self if self.method.ships_adapter else Train(self.training)
