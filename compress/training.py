"""Settings of one run of the training loop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from compress.errors import check_above_zero, check_at_least, check_known, check_share, check_whole


@dataclass(frozen=True)
class Training:
    """SGD with Nesterov momentum over `epochs` passes; 0 epochs keep the initial weights.

    `decay` "cosine" lowers `lr` to 0 along half a cosine, "step" divides `lr` by ten at 1/2 and 3/4 of the run, both
    counted in steps. `weight_decay` acts on all parameters; `label_smoothing` in [0, 1) on the loss against labels.
    """

    name: ClassVar[str] = "training"

    epochs: int = 30
    lr: float = 0.1
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay: str = "cosine"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_whole("training: epochs", self.epochs, 0)
        check_above_zero("training: lr", self.lr)
        check_whole("training: batch_size", self.batch_size, 1)
        check_share("training: momentum", self.momentum)
        check_at_least("training: weight_decay", self.weight_decay, 0)
        check_known("training: decay", self.decay, ("cosine", "step"))
        check_share("training: label_smoothing", self.label_smoothing)

    def lr_at(self, share: float) -> float:
        """Return the learning rate once `share` in [0, 1) of all steps is done."""
        if self.decay == "cosine":
            return self.lr * (1 + math.cos(math.pi * share)) / 2
        return self.lr * 0.1 ** ((share >= 0.5) + (share >= 0.75))
