"""Training on labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from compress.encoding import encode
from compress.errors import check_kind
from compress.stages.lesson import Lesson
from compress.stages.stage import Stage
from compress.stages.words import epochs
from compress.training.settings import Training

if TYPE_CHECKING:
    from compress.models import Model


@dataclass(frozen=True)
class Train(Stage):
    """Train the student on labels, from scratch or from its initial weights; 0 epochs keep the weights."""

    name: ClassVar[str] = "train"
    code: ClassVar[int] = 1
    begins: ClassVar[bool] = True

    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        check_kind("train: training", self.training, (Training,))

    @property
    def lesson(self) -> Lesson:
        """Return the training, on labels alone."""
        return Lesson(self.training)

    def retrained(self, change: Callable[[Lesson], Training]) -> Train:
        """Return the stage with a changed training."""
        return replace(self, training=change(self.lesson))

    def made_from(self) -> dict[str, object]:
        """Return the whole stage."""
        return {"stage": encode(self)}

    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return the length of the training."""
        return f"trained on labels: {epochs(self.training)}" if self.training.epochs else "taken as its weights are"
