"""Settings of one run of the training loop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from compress.errors import (
    RecipeError,
    check_above_zero,
    check_at_least,
    check_kind,
    check_known,
    check_share,
    check_whole,
)
from compress.training.optimizers import check_optimizer_name, is_own_optimizer, own_optimizer_source, whole_name

DECAYS = ("cosine", "constant", "step")
WARM_START = 0.01
"""Share of the learning rate at the first step of a warm-up; a rate of 0 would waste the step."""


@dataclass(frozen=True)
class Training:
    """A run of the training loop over `epochs` passes; 0 epochs keep the initial weights.

    `optimizer` "sgd" is SGD with Nesterov momentum; "adamw" is AdamW with `momentum` as its first beta; a path
    `package.module:function` names a function of the user's, called with parameter groups, `lr` and `weight_decay`
    (`compress/training/optimizers.py`). `weight_decay` acts on all parameters, `label_smoothing` in [0, 1) on the loss
    against labels.

    The learning rate rises along a line to `lr` over the first `warmup` epochs, in [0, epochs). Then `decay` "cosine"
    lowers the rate to 0 along half a cosine, "constant" keeps the rate, and "step" multiplies the rate by `factor`, in
    (0, 1), at each of `drops`, rising shares of the whole run in (0, 1). All are counted in steps.

    With `clip_norm` the gradient of a batch is scaled down to this Euclidean norm. With `ema` in (0, 1) the trained
    network is the exponential moving average of the weights (`compress/training/average.py`); 0 takes the last weights.
    """

    name: ClassVar[str] = "training"
    added: ClassVar[tuple[str, ...]] = ("optimizer", "warmup", "drops", "factor", "clip_norm", "ema")

    epochs: int = 30
    lr: float = 0.1
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay: str = "cosine"
    label_smoothing: float = 0.0
    optimizer: str = "sgd"
    warmup: float = 0.0
    drops: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1
    clip_norm: float | None = None
    ema: float = 0.0

    def __post_init__(self) -> None:
        check_whole("training: epochs", self.epochs, 0)
        check_above_zero("training: lr", self.lr)
        check_whole("training: batch_size", self.batch_size, 1)
        check_share("training: momentum", self.momentum)
        check_at_least("training: weight_decay", self.weight_decay, 0)
        check_known("training: decay", self.decay, DECAYS)
        check_share("training: label_smoothing", self.label_smoothing)
        check_optimizer_name(self.optimizer)
        object.__setattr__(self, "optimizer", whole_name(self.optimizer))
        if is_own_optimizer(self.optimizer) and self.momentum != Training.momentum:
            raise RecipeError(
                f"training: momentum is not handed to {self.optimizer}: set momentum in the function, "
                f"got {self.momentum!r}"
            )
        check_at_least("training: warmup", self.warmup, 0)
        if self.warmup and self.warmup >= self.epochs:
            raise RecipeError(
                f"training: warmup must be shorter than the {self.epochs} epochs of the training, got {self.warmup!r}"
            )
        self._check_drops()
        if self.clip_norm is not None:
            check_above_zero("training: clip_norm", self.clip_norm)
        check_share("training: ema", self.ema)

    def _check_drops(self) -> None:
        check_kind("training: drops", self.drops, (tuple,))
        for drop in self.drops:
            check_share("training: drops", drop, low=1e-9)
        if not self.drops or list(self.drops) != sorted(set(self.drops)):
            raise RecipeError(f"training: drops must be rising shares of the run, got {self.drops!r}")
        check_share("training: factor", self.factor, low=1e-9)
        if self.decay != "step" and (self.drops, self.factor) != (Training.drops, Training.factor):
            raise RecipeError(f"training: drops and factor must come with the decay step, got {self.decay}")

    @property
    def fingerprints(self) -> dict[str, str]:
        """Return the sha256 of the source of a user's own `optimizer`; {} for an optimizer by name.

        RecipeError for a function that cannot be imported.
        """
        return {"optimizer": own_optimizer_source(self.optimizer)} if is_own_optimizer(self.optimizer) else {}

    def lr_at(self, share: float) -> float:
        """Return the learning rate once `share` in [0, 1) of all steps is done."""
        warm = self.warmup / self.epochs if self.warmup else 0.0
        if share < warm:
            return self.lr * (WARM_START + (1 - WARM_START) * share / warm)
        if self.decay == "constant":
            return self.lr
        if self.decay == "step":
            return self.lr * self.factor ** sum(share >= drop for drop in self.drops)
        return self.lr * (1 + math.cos(math.pi * (share - warm) / (1 - warm))) / 2
