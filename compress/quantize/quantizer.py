"""What every quantization method is: it converts a trained model, looking at calibration images, without training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Quantizer(ABC):
    """Fewer bits a weight. Only the last stage of a recipe."""

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def convert(self, model: nn.Module, calibration: Tensor) -> nn.Module:
        """Replace layers of `model` in place and return it; `calibration` are normalised images `(B, C, H, W)`."""
