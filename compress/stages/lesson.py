"""The training of a network in a stage: on labels, under a teacher, or as the recovery from a cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from compress.distill import Distiller
from compress.errors import RecipeError, check_kind, check_known, check_whole
from compress.training.settings import Training


@dataclass(frozen=True)
class Lesson:
    """A training, the weights to train, and the teacher of the network.

    `scope` "all" trains every weight, "classifier" the last linear layer only. With a `distiller` the network learns
    from the network before the stage (`teacher` "original", Chen 2021) or from the recipe's teacher ("teacher").
    """

    training: Training = field(default_factory=Training)
    scope: str = "all"
    distiller: Distiller | None = None
    teacher: str = "original"


@dataclass(frozen=True)
class Recovery(Lesson):
    """Training by which a network recovers accuracy after losing weights.

    A distiller with `ships_adapter` brings a classifier, so `scope` must be "all", and no level of a schedule may start
    from the level before.
    """

    name: ClassVar[str] = "recovery"

    training: Training = field(default_factory=lambda: Training(epochs=5, lr=0.02))

    def __post_init__(self) -> None:
        check_kind("recovery: training", self.training, (Training,))
        check_known("recovery: scope", self.scope, ("all", "classifier"))
        check_known("recovery: teacher", self.teacher, ("original", "teacher"))
        check_kind("recovery: distiller", self.distiller, (Distiller, type(None)))
        check_whole("recovery: training: epochs", self.training.epochs, 1)
        if self.distiller is not None:
            check_distillation("recovery", self.distiller, self.training)
        if self.distiller is not None and self.distiller.ships_adapter and self.scope != "all":
            raise RecipeError(
                f"recovery: {self.distiller.name} brings its own classifier, so scope must be all, got {self.scope}"
            )


def check_distillation(who: str, method: Distiller, training: Training) -> None:
    """Raise RecipeError unless the training suits the distillation method."""
    if training.label_smoothing:
        raise RecipeError(f"{who}: label_smoothing must be 0 under a distiller, got {training.label_smoothing:g}")
    if method.full_batches and training.batch_size < 2:
        raise RecipeError(f"{who}: {method.name} needs a batch_size of at least 2, got {training.batch_size}")
