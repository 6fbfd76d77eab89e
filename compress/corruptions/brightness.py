"""Brightness. Hendrycks & Dietterich 2019, https://arxiv.org/abs/1903.12261."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from compress.corruptions.corruption import Corruption, published_size

_ADDED = {
    32: (0.05, 0.1, 0.15, 0.2, 0.3),
    64: (0.1, 0.2, 0.3, 0.4, 0.5),
    224: (0.1, 0.2, 0.3, 0.4, 0.5),
}
"""Brightness added by severity, as a share of the scale, to the published images of each size."""
_RGB = 3


@final
@dataclass(frozen=True)
class Brightness(Corruption):
    """Brighter images, no brighter than white; the amount is the published amount for the nearest size.

    Of three channels the value of HSV is raised, so that hue and saturation stay. Other images have the amount added.
    """

    name: ClassVar[str] = "brightness"
    source: ClassVar[str] = "https://arxiv.org/abs/1903.12261"

    def apply(self, images: Tensor, drawn: Tensor, colour: Tensor) -> Tensor:
        """Return brighter images `(B, C, H, W)`."""
        added = _ADDED[published_size(images)][self.severity - 1]
        if images.shape[1] != _RGB:
            return _brighter(images, added)
        value = images.amax(1, keepdim=True)
        raised = _brighter(value, added)
        return torch.where(value > 0, images * (raised / value.clamp(min=1e-12)), raised)


def _brighter(values: Tensor, added: float) -> Tensor:
    """Return values plus `added`, at most 1; a float beyond white stays unchanged."""
    return torch.minimum(values + added, values.clamp(min=1.0))
