"""The interface of a corruption, and a split whose images are corrupted as they are read.

Images are corrupted on their raw scale, before normalisation: a network sees corrupted images normalised as all others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from compress.data.splits import Split
from compress.errors import RecipeError

SEVERITIES = (1, 2, 3, 4, 5)
SEVERITY = 3
"""Severity where none is named: the middle of the published ones."""
PUBLISHED_SIZES = (32, 64, 224)
"""Sides in pixels of the published images: CIFAR-C, Tiny ImageNet-C, ImageNet-C."""
LOOKED_AT = 256
"""Training images from which the scale is read."""
BYTE, HALF_BYTE = 255.0, 127.0


@dataclass(frozen=True)
class Corruption(ABC):
    """A change of images that leaves every pixel's place; `severity` from 1, mild, to 5."""

    name: ClassVar[str]
    source: ClassVar[str]
    numbers: ClassVar[int] = 0
    """Random numbers that an image needs."""

    severity: int = SEVERITY

    def __post_init__(self) -> None:
        if isinstance(self.severity, bool) or self.severity not in SEVERITIES:
            raise RecipeError(f"{self.name}: severity must be a whole number from 1 to 5, got {self.severity!r}")

    @abstractmethod
    def apply(self, images: Tensor, drawn: Tensor, colour: Tensor) -> Tensor:
        """Return changed images; `images` `(B, C, H, W)`, float32, 0 is black and 1 white, are left as they are.

        `drawn` `(B, numbers)` are in [0, 1); `colour` `(C,)` is the mean of the training images.
        """


def published_size(images: Tensor) -> int:
    """Return the published size nearest to the shorter side of images `(..., H, W)`, by ratio."""
    side = min(images.shape[-2:])
    return min(PUBLISHED_SIZES, key=lambda size: max(size / side, side / size))


@dataclass(frozen=True, eq=False)
class Scale:
    """Where raw images have `black` and `white`, and their mean `colour` `(C,)` between 0, black, and 1, white."""

    black: float
    white: float
    colour: Tensor

    @classmethod
    def of(cls, split: Split) -> Scale:
        """Read the scale from the first `LOOKED_AT` images of a split.

        Bytes go from 0 to 255, or to the greatest byte if all are at most 127, as in 8 x 8 digits from 0 to 16. Floats
        go from the least value to the greatest.
        """
        images = next(iter(split.read([torch.arange(min(LOOKED_AT, len(split)))]))).cpu()
        low, high = float(images.min()), float(images.max())
        if images.dtype == torch.uint8:
            low, high = 0.0, BYTE if high > HALF_BYTE else high
        high = high if high > low else low + 1.0
        return cls(low, high, (images.double().mean((0, 2, 3)) - low).div(high - low).float())

    def unit(self, images: Tensor) -> Tensor:
        """Return raw images as new float32 images, black 0, white 1."""
        return images.to(torch.float32).sub(self.black).div_(self.white - self.black)

    def raw(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the inverse of `unit`, in the type of the raw images; bytes are rounded."""
        found = images * (self.white - self.black) + self.black
        return found.round_().clamp_(0, BYTE).to(dtype) if dtype == torch.uint8 else found.to(dtype)


@final
@dataclass(frozen=True, eq=False)
class CorruptedSplit(Split):
    """The `clean` split under a corruption. `drawn` `(N, numbers)` are the random numbers, by position in the split.

    Targets stay as they are. An image is the same in every batch and for every network.
    """

    clean: Split
    corruption: Corruption
    scale: Scale
    drawn: Tensor

    @classmethod
    def of(cls, clean: Split, corruption: Corruption, scale: Scale, seed: int = 0) -> CorruptedSplit:
        """Draw the numbers of all images with `seed`: the same at every severity."""
        drawn = torch.rand(len(clean), corruption.numbers, generator=torch.Generator().manual_seed(seed))
        return cls(clean.targets, clean.mean, clean.std, clean, corruption, scale, drawn)

    def to(self, device: torch.device | str) -> CorruptedSplit:
        """Return the same split with batches on `device`."""
        clean = self.clean.to(device)
        return replace(self, clean=clean, targets=clean.targets)

    def read(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield the corrupted images at each tensor of positions: see `Split`."""
        for images, index in zip(self.clean.read(order), order, strict=True):
            drawn, colour = self.drawn[index].to(images.device), self.scale.colour.to(images.device)
            changed = self.corruption.apply(self.scale.unit(images), drawn, colour)
            yield self.scale.raw(changed, images.dtype)
