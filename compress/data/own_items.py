"""Items of a user's `Dataset`: converted, checked and read in blocks, by several processes where there are many."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compress.data.splits import DataError
from compress.errors import said, shortened
from compress.machine.resources import usable_cpus

FEW = 1000
"""Items read in this process: for fewer, starting worker processes takes longer than reading."""
COLOURS = (1, 3)
"""Numbers of channels recognised in the last dimension of an array."""
_BLOCK = 64
Positions = NDArray[np.int64]
Shape = tuple[int, int, int]


def as_tensor(array: NDArray[Any]) -> Tensor:
    """Return a tensor of the same memory; an array mapped from a file may not be writable, and is not written to."""
    with warnings.catch_warnings(action="ignore"):
        return torch.from_numpy(array)


def channels_first(pixels: Tensor) -> Tensor:
    """Return (..., C, H, W): grey and colour in the last dimension are recognised where the first has another size."""
    last = pixels.shape[-1] in COLOURS and pixels.shape[-3] not in COLOURS
    return pixels.movedim(-1, -3) if last else pixels


def plain(who: str, pixels: Tensor) -> Tensor:
    """Return pixels as uint8 or float32, on the CPU; DataError for complex numbers."""
    if pixels.is_complex():
        raise DataError(f"{who}: images must be numbers, got {pixels.dtype}")
    return pixels.detach().cpu() if pixels.dtype == torch.uint8 else pixels.detach().cpu().to(torch.float32)


def stacked(who: str, targets: Any) -> Tensor:
    """Return targets (N, ...), uint8 or int64 for whole numbers, else float32."""
    try:
        if isinstance(targets, Tensor):
            found = targets.detach().cpu()
        else:
            found = torch.from_numpy(np.array(targets if isinstance(targets, np.ndarray) else [*targets]))
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{who}: targets must be numbers, all of one shape, got {said(error)}") from error
    if found.dtype == torch.uint8:
        return found
    return found.to(torch.float32) if found.is_floating_point() else found.to(torch.int64)


def item_at(who: str, items: Any, at: int) -> tuple[Tensor, NDArray[Any]]:
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
        pixels = image if isinstance(image, Tensor) else as_tensor(np.asarray(image))
        known = target.detach().cpu().numpy() if isinstance(target, Tensor) else np.asarray(target)
    except (TypeError, ValueError) as error:
        raise DataError(f"{who}: image and target of item {at} must be numbers, got {said(error)}") from error
    if known.dtype.kind not in "buif":
        raise DataError(shortened(f"{who}: the target of item {at} must be numbers, got {target!r}"))
    pixels = pixels[None] if pixels.dim() == 2 else channels_first(pixels) if pixels.dim() == 3 else pixels
    if pixels.dim() != 3 or 0 in pixels.shape:
        raise DataError(f"{who}: an image must be (C, H, W), or grey (H, W), got {tuple(pixels.shape)} for item {at}")
    return plain(who, pixels).contiguous(), known


def _fitting(who: str, items: Any, at: int, shape: Shape) -> tuple[Tensor, NDArray[Any]]:
    image, target = item_at(who, items, at)
    if tuple(image.shape) != shape:
        got, wanted = (" x ".join(map(str, some)) for some in (image.shape, shape))
        raise DataError(
            f"{who}: all images must have one shape, {wanted}, got {got} for item {at}; resize in the Dataset"
        )
    return image, target


@final
@dataclass(frozen=True, eq=False)
class Images(Dataset[Tensor]):
    """The images of a `Dataset` at `positions`."""

    who: str
    items: Dataset[Any]
    positions: Positions
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
    positions: Positions
    shape: Shape

    def __len__(self) -> int:
        return -(-len(self.positions) // _BLOCK)

    def __getitem__(self, number: int) -> _Block | str:
        at = self.positions[number * _BLOCK : (number + 1) * _BLOCK].tolist()
        try:
            rows = [_fitting(self.who, self.items, place, self.shape) for place in at]
            return torch.stack([image for image, _ in rows]), stacked(self.who, [target for _, target in rows])
        except DataError as error:
            return str(error)


def blocks(who: str, items: Any, positions: Positions, shape: Shape) -> Iterator[_Block]:
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


def joined(who: str, blocks: Sequence[Tensor]) -> Tensor:
    """Return the targets of all blocks; DataError for several shapes."""
    shapes = {tuple(block.shape[1:]) for block in blocks}
    if len(shapes) > 1:
        raise DataError(f"{who}: targets must be of one shape, got {' and '.join(map(str, sorted(shapes)))}")
    return torch.cat([*blocks])
