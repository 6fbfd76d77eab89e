"""The interface of a distillation method: a frozen dataclass with a loss between a student and a teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from compress.errors import RecipeError
from compress.goals import LABELS, Goal


@dataclass(frozen=True)
class Outputs:
    """Outputs of a network on a batch.

    `logits` `(B, K)`; `taps` the feature maps `(B, C, H, W)` read by the method, by name, from input to output; `index`
    `(B,)` the images' positions in the training split. With `reads_features`: `features` `(B, D)`, the classifier's
    input, and `classify`, the frozen classifier, from `(B, D)` to `(B, K)`. With `reads_last`: `last` `(B, C, H, W)`,
    the input of the global pooling.
    """

    logits: Tensor
    index: Tensor
    taps: dict[str, Tensor] = field(default_factory=dict)
    features: Tensor | None = None
    classify: Callable[[Tensor], Tensor] | None = None
    last: Tensor | None = None


class Distiller(ABC):
    """A loss by which a student learns from a teacher, alone or as the recovery of a pruned network.

    With `reads_features` the loss needs the pooled features before the classifier, with `reads_last` the map before the
    pooling. With `full_batches` the loss needs batches of equal size, two images or more, so training leaves out a
    smaller last batch. With `ships_adapter` the trained adapters, a module from the student's last map to pooled
    features, become part of the stored student, followed by the teacher's classifier. Outside its adapters a loss keeps
    no state, and draws random numbers only from a state saved with the adapters.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    ships_adapter: ClassVar[bool] = False
    reads_features: ClassVar[bool] = False
    reads_last: ClassVar[bool] = False
    full_batches: ClassVar[bool] = False

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Return the names of the model's taps read by the loss; () for a loss on logits alone."""
        return ()

    def check_goal(self, goal: Goal) -> None:
        """Raise RecipeError for a goal that the method cannot teach."""
        if goal.dense and (self.reads_features or self.reads_last):
            raise RecipeError(
                f"{self.name}: reads pooled features, and {goal.name} has an answer a pixel; choose kd or at"
            )

    def check_targets(self, targets: Tensor) -> None:
        """Raise RecipeError when the targets `(N, ...)` of a training split are not enough for the method."""
        return

    def adapters(self, student: Outputs, teacher: Outputs, targets: Tensor) -> nn.Module:
        """Return layers to train beside the student, shaped after a batch of both; without parameters by default.

        `targets` `(N, ...)` are those of the whole training split, by position.
        """
        return nn.Identity()

    @abstractmethod
    def loss(
        self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module, goal: Goal = LABELS
    ) -> Tensor:
        """Return the whole loss, a scalar; `targets` `(B, ...)` are of the `goal`. No gradient reaches the teacher.

        All inputs are float32 (float64 is kept), and autocast is off.
        """
