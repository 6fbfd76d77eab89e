"""Figures of a training by epoch: mean loss, share of right answers, learning rate, and what hooks know.

Sums stay on the training device until the epoch is over: no step waits for a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from compress.training.loop import Hook

Row = dict[str, float]
"""Figures of an epoch by name: `epoch` from 1, `loss`, `score` if answers were counted, `lr`, figures of hooks."""


class EpochSums:
    """Sums over the batches of an epoch."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.right = torch.zeros((), dtype=torch.long, device=device)
        self.batches = self.images = 0

    def add(self, loss: Tensor, answers: Tensor | None, targets: Tensor) -> None:
        """Add a batch: its mean loss, and if given the logits `(B, K)` for the classes `targets` `(B,)`."""
        self.loss += loss.detach()
        self.batches += 1
        if answers is not None:
            self.right += (answers.argmax(1) == targets).sum()
            self.images += len(targets)

    def row(self, epoch: int, lr: float, hooks: Iterable[Hook]) -> Row:
        """Return the figures of the finished epoch, of at least one batch; `lr` is the last step's learning rate.

        `score` in [0, 1] is over the images as they were shown, augmented, while the weights moved.
        """
        found: Row = {"epoch": epoch, "loss": float(self.loss) / self.batches}
        if self.images:
            found["score"] = int(self.right) / self.images
        found["lr"] = lr
        for hook in hooks:
            found |= hook.figures()
        return found
