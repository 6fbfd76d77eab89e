"""Occlusion by a square. DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from compress.corruptions.corruption import Corruption

SIDES = (0.2, 0.3, 0.4, 0.5, 0.6)
"""Side of the square by severity, as a share of the image's shorter side."""


@final
@dataclass(frozen=True)
class Occlusion(Corruption):
    """A square of the training images' mean colour, at a place drawn for every image, wholly within the image.

    No published corruption hides a part. Severity 4 hides a square of half the side, as Cutout does on CIFAR-10; 1 to 5
    hide 4 to 36 % of a square image, within the 2 to 40 % of Random Erasing (https://arxiv.org/abs/1708.04896).
    """

    name: ClassVar[str] = "occlusion"
    source: ClassVar[str] = "https://arxiv.org/abs/1708.04552"
    numbers: ClassVar[int] = 2

    def apply(self, images: Tensor, drawn: Tensor, colour: Tensor) -> Tensor:
        """Return images `(B, C, H, W)` with a square each."""
        height, width = images.shape[2:]
        side = max(1, round(SIDES[self.severity - 1] * min(height, width)))
        top, left = (
            (drawn[:, at].double() * (length - side + 1)).floor().long() for at, length in ((0, height), (1, width))
        )
        rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
        hidden = _between(rows, top, side)[:, None, :, None] & _between(columns, left, side)[:, None, None, :]
        return torch.where(hidden, colour.view(1, -1, 1, 1), images)


def _between(places: Tensor, start: Tensor, length: int) -> Tensor:
    """Return `(B, N)`: whether each of the places `(N,)` is among the `length` from `start` `(B,)`."""
    return (places >= start[:, None]) & (places < start[:, None] + length)
