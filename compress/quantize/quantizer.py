"""The interface of a quantization method: convert a trained model with calibration images, without training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Quantizer(ABC):
    """Stores weights in fewer bits; only in the last stage of a recipe."""

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def convert(self, model: nn.Module, calibration: Tensor) -> nn.Module:
        """Replace layers of `model` in place and return the model; `calibration` `(B, C, H, W)` is normalised."""
