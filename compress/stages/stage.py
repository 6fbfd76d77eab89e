"""What every stage of a recipe is: a frozen dataclass whose fields are its settings, and whose methods are its answers.

A stage says how it changes a network (`change`), how the network is then trained (`lesson`), which levels it has, what
its models are made from, and a sentence for a card. Adding a stage is a file here and a line in `STAGES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from compress.data.splits import Batch
from compress.distill import Distiller
from compress.pruning.during_training import Goal
from compress.stages.lesson import Lesson
from compress.train import Hook

if TYPE_CHECKING:
    from compress.models import Model


class Stage(ABC):
    """One step of a recipe, which maps a model to a model."""

    name: ClassVar[str]
    code: ClassVar[int]
    """Version of what the stage computes. Raise the number when results change: its entries are then made again."""
    own_code: ClassVar[int] = 0
    """The same for results that change for users' own networks alone."""
    begins: ClassVar[bool] = False
    """Whether the stage starts a network, so that it must come first."""
    once: ClassVar[bool] = False
    """Whether a recipe has at most one stage of the kind."""
    cuts: ClassVar[bool] = False
    """Whether the stage takes weights out of the structure, down to `sparsity` where it has one."""

    @property
    @abstractmethod
    def lesson(self) -> Lesson | None:
        """How the network trains in the stage; None for a stage without training."""

    @abstractmethod
    def made_from(self) -> dict[str, object]:
        """Return the settings on which each of the stage's models depends, as JSON: a part of the hash of each."""

    @abstractmethod
    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return what was done, for a card: at one `level`, or by the whole stage; `teacher` is the recipe's."""

    def change(self, model: nn.Module, level: float, *, full: int, calibration: Batch) -> nn.Module:
        """Change the structure of `model` in place to sparsity `level` in [0, 1), and return the model.

        `full` is the number of weights before the stage, of which `level` is a share; `calibration` a batch of training
        images with labels. A method that prunes during training is carried out as if training had no steps, an adaptive
        method does one round, whatever the level.
        """
        return model

    def hook(self, model: nn.Module, calibration: Callable[[], Batch], goal: Callable[[], Goal]) -> Hook | None:
        """Return the hook with which the network trains; `goal` tells what the training is to arrive at.

        `calibration` gives the batch of `change`.
        """
        return None

    @property
    def distiller(self) -> Distiller | None:
        """The distillation method of the training."""
        return None if self.lesson is None else self.lesson.distiller

    @property
    def needs_teacher(self) -> bool:
        """Whether the network learns from the recipe's teacher."""
        return self.lesson is not None and self.lesson.distiller is not None and self.lesson.teacher == "teacher"

    @property
    def levels(self) -> tuple[float, ...]:
        """Sparsities of the stage's models, or numbers of rounds; (0.0,) for a stage that makes one model."""
        return (0.0,)

    @property
    def sequential(self) -> bool:
        """Whether each level starts from the level before, not from the full network."""
        return False

    @property
    def open_ended(self) -> bool:
        """Whether the sparsity of the stage's models is known only when they are made."""
        return False

    @property
    def tolerance(self) -> float | None:
        """Validation accuracy in [0, 1] that a level may lose; a level that loses more is taken back. None: any."""
        return None

    @property
    def masked(self) -> bool:
        """Whether the stage leaves zeros that a later training would fill."""
        return False

    @property
    def changes_in_training(self) -> bool:
        """Whether the structure changes by the `hook`, during the training."""
        return False

    @property
    def variant(self) -> str | None:
        """Name of another number format. Such a stage is the last, and converts every point so far."""
        return None

    def only_deepest(self) -> Stage:
        """Return the stage with its deepest level alone, or with a single round."""
        return self

    def at_most(self) -> Stage:
        """Return the stage with the most that it may remove."""
        return self

    def structural(self) -> Stage | None:
        """Return the part of the stage that decides whether it can be carried out; None for a stage that always can."""
        return self

    def cut_to(self, sparsity: float) -> Stage:
        """Return the stage with its cut as deep as `sparsity`; the stage itself if it does not cut."""
        return self
