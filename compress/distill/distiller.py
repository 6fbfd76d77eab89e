"""What every distillation method is: a frozen dataclass with a loss between a student and a teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn


@dataclass(frozen=True)
class Outputs:
    """What a network says of one batch.

    `logits` `(B, K)`; `taps` the feature maps `(B, C, H, W)` the method asked for, by name, from input to output;
    `index` `(B,)` the images' positions in the training split. For a method that `reads_features`: `features` `(B, D)`,
    what the classifier was given, and `classify`, the frozen classifier itself, from `(B, D)` to `(B, K)`. For one that
    `reads_last`: `last` `(B, C, H, W)`, what the global pooling was given.
    """

    logits: Tensor
    index: Tensor
    taps: dict[str, Tensor] = field(default_factory=dict)
    features: Tensor | None = None
    classify: Callable[[Tensor], Tensor] | None = None
    last: Tensor | None = None


class Distiller(ABC):
    """A loss that teaches a student what a teacher knows, alone or as the recovery of a pruned network.

    `reads_features` says that the loss needs the pooled features before the classifier, `reads_last` that it needs the
    map they are pooled from; `full_batches` that it needs batches of one size, two images or more, so that training
    leaves out a smaller last one. With `ships_adapter` the trained adapters, a module from the student's last map to
    pooled features, are part of the student that is kept, and the teacher's classifier is its own from then on. Outside
    its adapters a loss keeps no state, and draws no random numbers but from a state saved with them.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    ships_adapter: ClassVar[bool] = False
    reads_features: ClassVar[bool] = False
    reads_last: ClassVar[bool] = False
    full_batches: ClassVar[bool] = False

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Names of the model's taps the loss reads; none for losses on logits alone."""
        return ()

    def check_labels(self, labels: Tensor) -> None:
        """RecipeError when a training split with labels `(N,)` is not enough for the method."""
        return

    def adapters(self, student: Outputs, teacher: Outputs, labels: Tensor) -> nn.Module:
        """Layers trained beside the student, shaped after one batch of both; a module without parameters if none.

        `labels` `(N,)` are those of the whole training split, by position.
        """
        return nn.Identity()

    @abstractmethod
    def loss(self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module) -> Tensor:
        """The whole loss, a scalar; `targets` `(B,)` labels. No gradient reaches the teacher.

        Everything comes in float32 (float64 stays what it is), and autocast is off.
        """
