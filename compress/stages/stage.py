"""The interface of a stage: a frozen dataclass with the stage's settings as fields.

A stage defines the change of a network (`change`), the training afterwards (`lesson`), the levels, the settings hashed
into the models' keys (`made_from`), and a sentence for a card. Adding a stage is a file here and a line in `STAGES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from compress.data.splits import Batch
from compress.distill import Distiller
from compress.pruning.during_training import Goal
from compress.pruning.pruner import weight_count
from compress.stages.lesson import Lesson
from compress.training.loop import Hook

if TYPE_CHECKING:
    from compress.models import Model
    from compress.training.settings import Training


class Stage(ABC):
    """A step of a recipe: maps a model to a model."""

    name: ClassVar[str]
    code: ClassVar[int]
    """Version of the stage's computation. Raise the number when results change: stored models are then made again."""
    own_code: ClassVar[int] = 0
    """Version of the computation on users' own networks, raised when only their results change."""
    begins: ClassVar[bool] = False
    """Whether the stage starts a network and must come first."""
    once: ClassVar[bool] = False
    """Whether a recipe may have only a single stage of the kind."""
    cuts: ClassVar[bool] = False
    """Whether the stage removes weights from the structure, down to `sparsity` if the stage has the field."""

    @property
    @abstractmethod
    def lesson(self) -> Lesson | None:
        """Return the training of the stage; None for a stage without training."""

    @abstractmethod
    def made_from(self) -> dict[str, object]:
        """Return the settings on which the stage's models depend, as JSON: a part of each model's hash."""

    @abstractmethod
    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Describe the stage for a card: one `level`, or the whole stage if None; `teacher` is the recipe's."""

    def change(self, model: nn.Module, level: float, *, full: int, calibration: Batch) -> nn.Module:
        """Change the structure of `model` in place to sparsity `level` in [0, 1), and return the model.

        `level` is a share of `full`, the `amount` before the stage. `calibration` is a batch of training
        images with labels. A method that prunes during training is carried out as if the training had no steps. An
        adaptive method does one round, whatever the level.
        """
        return model

    def hook(self, model: nn.Module, calibration: Callable[[], Batch], goal: Callable[[], Goal]) -> Hook | None:
        """Return the hook of the training, if any; `goal` returns the target of a method that prunes during training.

        `calibration` returns the batch of `change`.
        """
        return None

    def validations(self, widths: Callable[[], Sequence[int]]) -> int:
        """Return how often all validation images are looked at in making a model; `widths` tells filters by layer."""
        return 0

    def amount(self, model: nn.Module, image: Tensor) -> int:
        """Count what levels are a share of, as a rule the weights; `image` `(1, C, H, W)` is one of the task's."""
        return weight_count(model)

    @property
    def distiller(self) -> Distiller | None:
        """Return the distillation method of the training, if any."""
        return None if self.lesson is None else self.lesson.distiller

    @property
    def needs_teacher(self) -> bool:
        """Return whether the network learns from the recipe's teacher."""
        return self.lesson is not None and self.lesson.distiller is not None and self.lesson.teacher == "teacher"

    @property
    def levels(self) -> tuple[float, ...]:
        """Return the sparsities of the stage's models, or numbers of rounds; (0.0,) for a stage with a single model."""
        return (0.0,)

    @property
    def sequential(self) -> bool:
        """Return whether each level starts from the level before, not from the full network."""
        return False

    @property
    def open_ended(self) -> bool:
        """Return whether the sparsity of the stage's models is unknown until the models are made."""
        return False

    @property
    def tolerance(self) -> float | None:
        """Return the loss of validation accuracy, in [0, 1], up to which a level is kept; None for no limit."""
        return None

    @property
    def masked(self) -> bool:
        """Return whether the stage leaves zeros for a later training to fill."""
        return False

    @property
    def changes_in_training(self) -> bool:
        """Return whether the `hook` changes the structure, during the training."""
        return False

    @property
    def variant(self) -> str | None:
        """Return the name of another number format: the stage is then the last, and converts every point so far."""
        return None

    def only_deepest(self) -> Stage:
        """Return the stage with the deepest level alone, or with a single round."""
        return self

    def at_most(self) -> Stage:
        """Return the stage with the deepest cut allowed."""
        return self

    def structural(self) -> Stage | None:
        """Return the settings that decide whether the stage can be applied; None for a stage without conditions."""
        return self

    def retrained(self, change: Callable[[Lesson], Training]) -> Stage:
        """Return the stage with the training that `change` makes of its lesson's; unchanged without a training."""
        return self

    def cut_to(self, sparsity: float) -> Stage:
        """Return the stage with a cut as deep as `sparsity`; a stage without cut is returned unchanged."""
        return self
