"""Figures of a training by epoch: mean loss, share of right answers, learning rate, and what hooks know.

Sums stay on the training device until the epoch is over: no step waits for a GPU, and an epoch waits once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from compress.training.loop import Hook

Row = dict[str, float]
"""Figures of an epoch by name: `epoch` from 1, `loss`, `score` if answers were counted, `lr`, figures of hooks."""


def share(masks: Sequence[Tensor]) -> Tensor | float:
    """Return the share of True in all masks together, a scalar on their device; 0 without masks."""
    if not masks:
        return 0.0
    return torch.stack([mask.sum() for mask in masks]).sum() / sum(mask.numel() for mask in masks)


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
        known = {name: value for hook in hooks for name, value in hook.figures().items()}
        there = {name: value for name, value in known.items() if isinstance(value, Tensor)}
        loss, right, *told = torch.stack([v.double() for v in (self.loss, self.right, *there.values())]).tolist()
        score = {"score": right / self.images} if self.images else {}
        on_device = dict(zip(there, told, strict=True))
        return {"epoch": epoch, "loss": loss / self.batches, **score, "lr": lr, **known, **on_device}
