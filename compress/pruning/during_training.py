"""Pruning methods that live inside training: the structure stays, a hook on the training loop works towards the goal,
and what it has chosen goes when training is over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from compress.data.splits import Batch
from compress.pruning.pruner import Pruner
from compress.train import Hook


@dataclass(frozen=True)
class Goal:
    """What one training is to arrive at.

    `level` in [0, 1) is the share of the `full` weights (of convolutions and linear layers) that are to be gone, from
    the network before the whole stage; `calibration` a batch of training images with their labels; `epochs` how long
    will be trained. `validate()` is the accuracy of the network as it is now on validation images, `unpruned` that of
    the network before the stage, both in [0, 1], for methods that look at it.
    """

    level: float
    full: int
    calibration: Batch
    epochs: int
    validate: Callable[[], float] | None = None
    unpruned: float | None = None

    @property
    def at_most(self) -> int:
        """Weights that may stay."""
        return int(self.full * (1 - self.level) + 1e-9)


class Pruning(Hook, ABC):
    """The hook of a method inside training."""

    @abstractmethod
    def finish(self) -> None:
        """Leave the model in place changed to the goal, in eval mode and free of the hook.

        What was masked goes. If training was too short to mask enough, or did not take place, the rest is chosen now.
        """


class DuringTraining(Pruner):
    """A pruner that chooses while the recovery trains; `scores` are what it goes by where training has said nothing."""

    @abstractmethod
    def begin(self, model: nn.Module, goal: Goal) -> Pruning:
        """The hook for one training of `model`, whose structure stays until `finish`.

        RecipeError when the goal cannot be reached.
        """
