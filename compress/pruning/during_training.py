"""Pruning during training: a hook on the training loop works towards the goal, and the cut follows after training.

The network's structure stays until then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from compress.data.splits import Batch
from compress.pruning.pruner import Pruner
from compress.training.loop import Hook


@dataclass(frozen=True)
class Goal:
    """The goal of a training that prunes.

    `level` in [0, 1) is the share to remove of the `full` weights (of convolutions and linear layers) of the network
    before the whole stage, or with `measure` "flops" of its `full` MACs for one image. `calibration` is a batch of
    training images with labels, `epochs` the length of the training. For methods that watch the accuracy, `validate()`
    measures the present validation accuracy, and `unpruned` is the validation accuracy of the network before the stage,
    both in [0, 1].
    """

    level: float
    full: int
    calibration: Batch
    epochs: int
    validate: Callable[[], float] | None = None
    unpruned: float | None = None
    measure: str = "weights"

    @property
    def at_most(self) -> int:
        """Return the number of weights, or of MACs, that may stay."""
        return int(self.full * (1 - self.level) + 1e-9)


class Pruning(Hook, ABC):
    """The hook of a method that prunes during training."""

    @abstractmethod
    def finish(self) -> None:
        """Cut the model in place to the goal; leave the model in eval mode and free of the hook.

        Masked channels or weights are removed. If training was too short to mask enough, or had no steps, the rest is
        chosen now.
        """


class DuringTraining(Pruner):
    """A pruner that chooses during the recovery's training; `scores` decide where training gives no answer."""

    @abstractmethod
    def begin(self, model: nn.Module, goal: Goal) -> Pruning:
        """Return the hook for a training of `model`, whose structure stays until `finish`."""
