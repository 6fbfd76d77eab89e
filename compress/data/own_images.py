"""A user's images and targets: tensors, arrays, or a map-style `Dataset` of any size.

Images in memory are `Held`; a large `Dataset` is `Streamed`, its images read by worker processes as needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compress.data.splits import DataError, Split, StreamSplit, TensorSplit, fits
from compress.errors import said
from compress.machine.resources import usable_cpus

FEW = 1000
"""Items read in this process: for fewer, starting worker processes takes longer than reading."""
COLOURS = (1, 3)
"""Numbers of channels recognised in the last dimension of an array."""
_BLOCK = 64
_Positions = NDArray[np.int64]
Shape = tuple[int, int, int]


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

    def take(self, at: _Positions) -> Held:
        """Return the images at these positions."""
        places = torch.from_numpy(at)
        return Held(self.images[places], self.targets[places])

    def read(self, at: _Positions) -> Tensor:
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
    positions: _Positions
    shape: Shape
    targets: Tensor

    def take(self, at: _Positions) -> Streamed:
        """Return the items at these positions."""
        return replace(self, positions=self.positions[at], targets=self.targets[torch.from_numpy(at)])

    def read(self, at: _Positions) -> Tensor:
        """Return images (n, C, H, W); DataError for an item that cannot be read or has another shape."""
        return torch.cat([images for images, _ in _blocks(self.who, self.items, self.positions[at], self.shape)])

    def split(self, mean: Sequence[float], std: Sequence[float]) -> Split:
        """Return the split of these items."""
        files = _Images(self.who, self.items, self.positions, self.shape)
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
    first = _item(who, items, 0)[0]
    if not torch.equal(first, _item(who, items, 0)[0]):
        raise DataError(
            f"{who}: an item must be the same every time, got two images for item 0; random changes belong in augment"
        )
    channels, height, width = first.shape
    shape, everything = (channels, height, width), np.arange(len(items))
    if stream is None:
        stream = not fits(len(items) * first.nbytes)
    if stream:
        return Streamed(who, items, everything, shape, _targets_alone(who, items, shape))
    blocks = list(_blocks(who, items, everything, shape))
    return Held(torch.cat([images for images, _ in blocks]), _joined(who, [targets for _, targets in blocks]))


def _arrays(who: str, images: object, targets: object) -> Held:
    try:
        pixels = images if isinstance(images, Tensor) else _tensor(np.asarray(images))
    except (TypeError, ValueError) as error:
        raise DataError(f"{who}: images must be a tensor or an array of numbers, got {said(error)}") from error
    if pixels.dim() == 3:
        pixels = pixels[:, None]
    if pixels.dim() == 4:
        pixels = _channels_first(pixels)
    if pixels.dim() != 4 or 0 in pixels.shape[1:]:
        raise DataError(f"{who}: images must be (N, C, H, W), or grey (N, H, W), got {tuple(pixels.shape)}")
    known = _stacked(who, targets)
    if len(pixels) == 0:
        raise DataError(f"{who}: must have images, got none")
    if len(known) != len(pixels):
        raise DataError(f"{who}: each image must have a target, got {len(pixels)} images, {len(known)} targets")
    return Held(_plain(who, pixels).contiguous(), known)


def _tensor(array: NDArray[Any]) -> Tensor:
    """Return a tensor of the same memory; an array mapped from a file may not be writable, and is not written to."""
    with warnings.catch_warnings(action="ignore"):
        return torch.from_numpy(array)


def _channels_first(pixels: Tensor) -> Tensor:
    """Return (..., C, H, W): grey and colour in the last dimension are recognised where the first has another size."""
    last = pixels.shape[-1] in COLOURS and pixels.shape[-3] not in COLOURS
    return pixels.movedim(-1, -3) if last else pixels


def _plain(who: str, pixels: Tensor) -> Tensor:
    if pixels.is_complex():
        raise DataError(f"{who}: images must be numbers, got {pixels.dtype}")
    return pixels.detach().cpu() if pixels.dtype == torch.uint8 else pixels.detach().cpu().to(torch.float32)


def _stacked(who: str, targets: Any) -> Tensor:
    """Return targets (N, ...), int64 for whole numbers, else float32."""
    try:
        if isinstance(targets, Tensor):
            found = targets.detach().cpu()
        else:
            found = torch.from_numpy(np.array(targets if isinstance(targets, np.ndarray) else [*targets]))
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{who}: targets must be numbers, all of one shape, got {said(error)}") from error
    return found.to(torch.float32) if found.is_floating_point() else found.to(torch.int64)


def _item(who: str, items: Any, at: int) -> tuple[Tensor, NDArray[Any]]:
    """Return item `at` as an image (C, H, W), uint8 or float32, and its target as an array."""
    try:
        item = items[at]
    except Exception as error:  # a user's code may raise anything
        raise DataError(f"{who}: item {at} must be readable, got {said(error)}") from error
    if not isinstance(item, tuple | list) or len(item) != 2:
        got = f"{len(item)} values" if isinstance(item, tuple | list) else f"a {type(item).__name__}"
        raise DataError(f"{who}: an item must be (image, target), got {got} for item {at}")
    image, target = item
    if hasattr(image, "getbands"):  # Pillow's
        image = np.array(image if image.mode in ("L", "RGB", "F", "I;16") else image.convert("RGB"))
    try:
        pixels = image if isinstance(image, Tensor) else _tensor(np.asarray(image))
        known = target.detach().cpu().numpy() if isinstance(target, Tensor) else np.asarray(target)
    except (TypeError, ValueError) as error:
        raise DataError(f"{who}: image and target of item {at} must be numbers, got {said(error)}") from error
    if known.dtype.kind not in "buif":
        raise DataError(f"{who}: the target of item {at} must be numbers, got {target!r}"[:300])
    pixels = pixels[None] if pixels.dim() == 2 else _channels_first(pixels) if pixels.dim() == 3 else pixels
    if pixels.dim() != 3 or 0 in pixels.shape:
        raise DataError(f"{who}: an image must be (C, H, W), or grey (H, W), got {tuple(pixels.shape)} for item {at}")
    return _plain(who, pixels).contiguous(), known


def _fitting(who: str, items: Any, at: int, shape: Shape) -> tuple[Tensor, NDArray[Any]]:
    image, target = _item(who, items, at)
    if tuple(image.shape) != shape:
        got, wanted = (" x ".join(map(str, some)) for some in (image.shape, shape))
        raise DataError(
            f"{who}: all images must have one shape, {wanted}, got {got} for item {at}; resize in the Dataset"
        )
    return image, target


@final
@dataclass(frozen=True, eq=False)
class _Images(Dataset[Tensor]):
    """The images of a `Dataset` at `positions`."""

    who: str
    items: Dataset[Any]
    positions: _Positions
    shape: Shape

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Tensor:
        return _fitting(self.who, self.items, int(self.positions[index]), self.shape)[0]


_Block = tuple[Tensor, Tensor]


@final
@dataclass(frozen=True, eq=False)
class _Blocks(Dataset[_Block | str]):
    """Blocks of images and targets, or the complaint about the first wrong item: exceptions lose their type."""

    who: str
    items: Dataset[Any]
    positions: _Positions
    shape: Shape

    def __len__(self) -> int:
        return -(-len(self.positions) // _BLOCK)

    def __getitem__(self, number: int) -> _Block | str:
        at = self.positions[number * _BLOCK : (number + 1) * _BLOCK].tolist()
        try:
            rows = [_fitting(self.who, self.items, place, self.shape) for place in at]
            return torch.stack([image for image, _ in rows]), _stacked(self.who, [target for _, target in rows])
        except DataError as error:
            return str(error)


def _joined(who: str, blocks: Sequence[Tensor]) -> Tensor:
    shapes = {tuple(block.shape[1:]) for block in blocks}
    if len(shapes) > 1:
        raise DataError(f"{who}: targets must be of one shape, got {' and '.join(map(str, sorted(shapes)))}")
    return torch.cat([*blocks])


def _blocks(who: str, items: Any, positions: _Positions, shape: Shape) -> Iterator[_Block]:
    """Yield blocks of images and their targets, in order; read by several processes where there are many."""
    loader: DataLoader[_Block | str] = DataLoader(
        _Blocks(who, items, positions, shape),
        batch_size=None,
        num_workers=0 if len(positions) < FEW else min(8, usable_cpus()),
        generator=torch.Generator(),
    )
    for block in loader:
        if isinstance(block, str):
            raise DataError(block)
        yield block


def _targets_alone(who: str, items: Any, shape: Shape) -> Tensor:
    """Return all targets: of the attribute `targets`, as torchvision's sets have, where items agree, else of items."""
    named = getattr(items, "targets", None)
    count = len(items)
    if isinstance(named, list | tuple | np.ndarray | Tensor) and len(named) == count:
        found = _stacked(who, named)
        some = np.unique(np.linspace(0, count - 1, min(count, 20)).astype(np.int64))
        read = _stacked(who, [_item(who, items, int(place))[1] for place in some])
        if torch.equal(found[torch.from_numpy(some)], read):
            return found
    return _joined(who, [targets for _, targets in _blocks(who, items, np.arange(count), shape)])
