"""Training: its settings, the only loop, optimizers, checkpoints, and a moving average of the weights."""

from __future__ import annotations

from compress.training.settings import Training

__all__ = ["Training"]
