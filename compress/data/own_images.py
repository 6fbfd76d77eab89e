"""A user's images and targets: tensors, arrays, or a map-style `Dataset` of any size.

Images in memory are `Held`; a large `Dataset` is `Streamed`, its images read by worker processes as needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from compress.data.own_items import (
    Images,
    Positions,
    Shape,
    as_tensor,
    blocks,
    channels_first,
    item_at,
    joined,
    plain,
    stacked,
)
from compress.data.splits import DataError, Split, StreamSplit, TensorSplit, fits
from compress.errors import said
from compress.goals.goal import widened


@final
@dataclass(frozen=True, eq=False)
class Held:
    """Images (N, C, H, W), uint8 or float32, and targets (N, ...), in memory."""

    images: Tensor
    targets: Tensor

    @property
    def shape(self) -> Shape:
        """Channels, height and width."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def take(self, at: Positions) -> Held:
        """Return the images at these positions."""
        places = torch.from_numpy(at)
        return Held(self.images[places], self.targets[places])

    def read(self, at: Positions) -> Tensor:
        """Return images (n, C, H, W)."""
        return self.images[torch.from_numpy(at)]

    def split(self, mean: Sequence[float], std: Sequence[float]) -> Split:
        """Return the split of these images."""
        return TensorSplit(self.targets, tuple(mean), tuple(std), self.images)


@final
@dataclass(frozen=True, eq=False)
class Streamed:
    """Items of a `Dataset` at `positions`, of one `shape`, and their targets (N, ...)."""

    who: str
    items: Dataset[Any]
    positions: Positions
    shape: Shape
    targets: Tensor

    def take(self, at: Positions) -> Streamed:
        """Return the items at these positions."""
        return replace(self, positions=self.positions[at], targets=self.targets[torch.from_numpy(at)])

    def read(self, at: Positions) -> Tensor:
        """Return images (n, C, H, W); DataError for an item that cannot be read or has another shape."""
        return torch.cat([images for images, _ in blocks(self.who, self.items, self.positions[at], self.shape)])

    def split(self, mean: Sequence[float], std: Sequence[float]) -> Split:
        """Return the split of these items."""
        files = Images(self.who, self.items, self.positions, self.shape)
        return StreamSplit(self.targets, tuple(mean), tuple(std), files)


Source = Held | Streamed


def read(who: str, data: object, stream: bool | None) -> Source:
    """Read (images, targets), or a map-style `Dataset` of (image, target); `who` is the split, for messages.

    `stream` reads a `Dataset` as needed; by default only where its images would take a quarter of the free memory or
    more. DataError for other data, no images, unequal lengths, images of several shapes, or an unreadable item.
    """
    if isinstance(data, tuple | list) and len(data) == 2:
        return _arrays(who, *data)
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__") or isinstance(data, tuple | list | str | dict):
        raise DataError(
            f"{who}: must be (images, targets), or a Dataset with __len__ and __getitem__ of (image, target), got a "
            f"{type(data).__name__}"
        )
    items: Any = data
    if len(items) == 0:
        raise DataError(f"{who}: must have images, got none")
    first = item_at(who, items, 0)[0]
    if not torch.equal(first, item_at(who, items, 0)[0]):
        raise DataError(
            f"{who}: an item must be the same every time, got two images for item 0; random changes belong in augment"
        )
    channels, height, width = first.shape
    shape, everything = (channels, height, width), np.arange(len(items))
    if stream is None:
        stream = not fits(len(items) * first.nbytes)
    if stream:
        return Streamed(who, items, everything, shape, _targets_alone(who, items, shape))
    whole = list(blocks(who, items, everything, shape))
    return Held(torch.cat([images for images, _ in whole]), joined(who, [targets for _, targets in whole]))


def _arrays(who: str, images: object, targets: object) -> Held:
    try:
        pixels = images if isinstance(images, Tensor) else as_tensor(np.asarray(images))
    except (TypeError, ValueError) as error:
        raise DataError(f"{who}: images must be a tensor or an array of numbers, got {said(error)}") from error
    if pixels.dim() == 3:
        pixels = pixels[:, None]
    if pixels.dim() == 4:
        pixels = channels_first(pixels)
    if pixels.dim() != 4 or 0 in pixels.shape[1:]:
        raise DataError(f"{who}: images must be (N, C, H, W), or grey (N, H, W), got {tuple(pixels.shape)}")
    known = stacked(who, targets)
    if len(pixels) == 0:
        raise DataError(f"{who}: must have images, got none")
    if len(known) != len(pixels):
        raise DataError(f"{who}: each image must have a target, got {len(pixels)} images, {len(known)} targets")
    return Held(plain(who, pixels).contiguous(), known)


def _targets_alone(who: str, items: Any, shape: Shape) -> Tensor:
    """Return all targets: of the attribute `targets`, as torchvision's sets have, where items agree, else of items."""
    named = getattr(items, "targets", None)
    count = len(items)
    if isinstance(named, list | tuple | np.ndarray | Tensor) and len(named) == count:
        found = stacked(who, named)
        some = np.unique(np.linspace(0, count - 1, min(count, 20)).astype(np.int64))
        read = stacked(who, [item_at(who, items, int(place))[1] for place in some])
        if torch.equal(widened(found[torch.from_numpy(some)]), widened(read)):
            return found
    return joined(who, [targets for _, targets in blocks(who, items, np.arange(count), shape)])
