"""Motion blur. Hendrycks & Dietterich 2019, https://arxiv.org/abs/1903.12261."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from compress.corruptions.corruption import Corruption, published_size

_LENGTHS = {
    32: ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
    64: ((10, 1.0), (10, 1.5), (10, 2.0), (10, 2.5), (12, 3.0)),
    224: ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
}
"""Radius and deviation in pixels by severity, of the published images of each size."""
_MOST_DEGREES = 45.0


@final
@dataclass(frozen=True)
class MotionBlur(Corruption):
    """A smear along a line turned by at most 45 degrees from the horizontal, the angle drawn for every image.

    A pixel is the weighted mean of `2 radius + 1` pixels from its own along the line, with weights of half a Gaussian,
    as ImageMagick blurs the published images. Beyond the border the last pixel is repeated. Lengths are those published
    for the nearest size, and grow with the shorter side of images larger than 224.
    """

    name: ClassVar[str] = "motion-blur"
    source: ClassVar[str] = "https://arxiv.org/abs/1903.12261"
    numbers: ClassVar[int] = 1

    def apply(self, images: Tensor, drawn: Tensor, colour: Tensor) -> Tensor:
        """Return blurred images `(B, C, H, W)`."""
        size = published_size(images)
        radius, deviation = _LENGTHS[size][self.severity - 1]
        grown = max(1.0, min(images.shape[-2:]) / size) if size == max(_LENGTHS) else 1.0
        steps = torch.arange(2 * math.ceil(radius * grown) + 1, dtype=torch.float64)
        half = torch.exp(-(steps**2) / (2 * (deviation * grown) ** 2))
        angle = torch.deg2rad((2 * drawn[:, 0].double() - 1) * _MOST_DEGREES)
        blurred = torch.zeros_like(images)
        for step, weight in enumerate((half / half.sum()).tolist()):
            down, right = (torch.ceil(step * side - 0.5).long() for side in (angle.sin(), angle.cos()))
            blurred += weight * _moved(images, down, right)
        return blurred


def _moved(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Return for every pixel of images `(B, C, H, W)` the pixel so far `down` and `right` `(B,)`, or the border's."""
    height, width = images.shape[2:]
    rows = (torch.arange(height, device=images.device) + down[:, None]).clamp_(0, height - 1)
    columns = (torch.arange(width, device=images.device) + right[:, None]).clamp_(0, width - 1)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    flat = images.flatten(2)
    return flat.gather(2, pixels[:, None].expand(-1, flat.shape[1], -1)).view_as(images)
