"""Quantization: store each weight in fewer bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from compress.data.splits import Batch
from compress.encoding import encode
from compress.errors import check_kind
from compress.quantize import Quantizer
from compress.stages.stage import Stage
from compress.stages.words import method_and_settings

if TYPE_CHECKING:
    from compress.models import Model


@dataclass(frozen=True)
class Quantize(Stage):
    """Quantize every point of the recipe so far; always the last stage."""

    name: ClassVar[str] = "quantize"
    code: ClassVar[int] = 1

    method: Quantizer

    def __post_init__(self) -> None:
        check_kind("quantize: method", self.method, (Quantizer,))

    @property
    def lesson(self) -> None:
        """Return None: the stage trains nothing."""
        return None

    def made_from(self) -> dict[str, object]:
        """Return the method."""
        return {"method": encode(self.method)}

    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return the method."""
        return f"quantized with {method_and_settings(self.method)}"

    def change(self, model: nn.Module, level: float, *, full: int, calibration: Batch) -> nn.Module:
        """Convert the layers, with value ranges from the calibration images."""
        return self.method.convert(model, calibration.images)

    @property
    def variant(self) -> str:
        """Return the method's name."""
        return self.method.name

    def structural(self) -> None:
        """Return None: layers of any shape can be converted."""
        return
