"""The zoo: `MODELS` by name, one file a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from compress.errors import RecipeError, check_above_zero, check_known
from compress.models import cnn, imagenet, resnet, slimnets, vgg, wrn
from compress.models.family import Family, check_images

MODELS: dict[str, Family] = {
    **cnn.FAMILY,
    **resnet.FAMILY,
    **wrn.FAMILY,
    **vgg.FAMILY,
    **imagenet.FAMILY,
    **slimnets.FAMILY,
}


@dataclass(frozen=True)
class Model:
    """A model of the zoo by name, with a width multiplier above 0 on its channels; some take none but 1."""

    name: ClassVar[str] = "model"
    family: str
    width: float = 1.0

    def __post_init__(self) -> None:
        check_known("model", self.family, MODELS)
        check_above_zero(f"{self.family}: width", self.width)
        if MODELS[self.family].fixed and self.width != 1:
            raise RecipeError(f"{self.family}: width must be 1, its constructor takes no other, got {self.width!r}")

    def build(self, classes: int, channels: int) -> nn.Module:
        """A freshly initialised module from torch's global random state."""
        return MODELS[self.family].make(classes, channels, self.width)

    def check_images(self, height: int, width: int) -> None:
        """RecipeError when images of that many pixels are too small for the model."""
        check_images(self.family, MODELS[self.family].least, height, width)

    def __str__(self) -> str:
        return self.family if self.width == 1 else f"{self.family} x{self.width:g}"
