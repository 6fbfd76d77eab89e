"""Batches of images, shuffled, cropped, flipped and normalised as whole tensors.

A small set lives in memory as a single tensor, uint8 or float32, on the training device if free memory allows. A large
set is decoded by workers while training runs. Both give the same batches, bit for bit: all random numbers of an epoch
are drawn at once, on the generator's device, and depend neither on the kind of split nor on the batch size.

An image has the same views as under torchvision's `RandomCrop(size, padding)` and `RandomHorizontalFlip` before
`Normalize`: the border is black, raw 0, and so becomes `-mean / std`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compress.data.augmentation import Augment as Augment
from compress.data.augmentation import Augmentation
from compress.goals import LABELS, Goal
from compress.goals.goal import widened
from compress.machine.resources import memory_headroom


class DataError(ValueError):
    """A wrong request to a data set, or a fault in the data; the message has who, the rule and the value."""


@final
@dataclass(frozen=True, eq=False)
class Batch:
    """Images of a split, ready for a network.

    `images` (B, C, H, W) float32, normalised; `targets` (B, ...), int64 classes or float32 values; `index` (B,) int64,
    positions in the split; `view` (B,) int64, the number of each image's view (see `Augment`), or None without
    augmentation and under a user's own. `goal` is the targets', for methods with a loss.
    """

    images: Tensor
    targets: Tensor
    index: Tensor
    view: Tensor | None = None
    goal: Goal = LABELS


@dataclass(frozen=True, eq=False)
class Split(ABC):
    """Images of equal size with `targets` (N, ...), whole numbers or float32 values.

    A segmentation's whole numbers are kept in few bytes; `target_at` and batches have them as int64.
    `mean` and `std` are per channel, on the raw scale.
    """

    targets: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def device(self) -> torch.device:
        """Device of the batches."""
        return self.targets.device

    def target_at(self, index: Tensor) -> Tensor:
        """Return the targets at positions (B,), as a batch has them: int64 or float32."""
        return widened(self.targets[index])

    @abstractmethod
    def to(self, device: torch.device | str) -> Split:
        """Return the same split with batches on `device`."""

    @abstractmethod
    def read(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield, for every tensor of positions (B,) on the CPU, raw images (B, C, H, W) on `device`."""

    def batches(
        self,
        batch_size: int,
        generator: torch.Generator | None = None,
        augment: Augmentation | None = None,
        drop_last: bool = False,
    ) -> Iterator[Batch]:
        """Return the batches of an epoch; the last may be smaller unless `drop_last`.

        With a generator the order is shuffled and, given `augment`, every image is shown in a random view. The same
        state of the generator gives the same epoch; random numbers are drawn during the call, not with the first batch.
        Without a generator the images come unchanged and in order, for any `augment`. DataError if `batch_size` is
        below 1.
        """
        if batch_size < 1:
            raise DataError(f"batches: batch_size must be at least 1, got {batch_size}")
        count = len(self) // batch_size * batch_size if drop_last else len(self)
        if generator is None:
            return self._epoch(torch.arange(count), None, None, batch_size)
        home = generator.device
        order = torch.randperm(len(self), generator=generator, device=home)[:count].cpu()
        if augment is None:
            return self._epoch(order, None, None, batch_size)
        return self._epoch(order, augment, augment.draw(len(self), generator)[:count], batch_size)

    def first(self, count: int) -> Batch:
        """Return the first `count` images unchanged, or all images of a smaller split."""
        return next(self._epoch(torch.arange(min(count, len(self))), None, None, count))

    def some(self, count: int, seed: int) -> Batch:
        """Return `count` images drawn with `seed`, unchanged, or all images of a smaller split."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))[:count]
        return next(self._epoch(order, None, None, count))

    def _epoch(
        self, order: Tensor, augment: Augmentation | None, view: Tensor | None, batch_size: int
    ) -> Iterator[Batch]:
        if len(order) == 0:
            return
        mean = torch.tensor(self.mean, device=self.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=self.device).view(1, -1, 1, 1)
        index = torch.split(order.to(self.device), batch_size)
        views: Sequence[Tensor | None] = [None] * len(index)
        if view is not None and augment is not None:  # the numbers of a user's transform are seeds, needed on the CPU
            views = torch.split(view if augment.views is None else view.to(self.device), batch_size)
        for images, at, seen in zip(self.read(torch.split(order, batch_size)), index, views, strict=True):
            targets = self.target_at(at)
            if augment is None or seen is None:
                yield Batch(images.to(torch.float32).sub_(mean).div_(std), targets, at)
                continue
            shown, targets = augment.show(images, targets, seen)
            ready = shown.to(torch.float32)
            ready = ready.sub(mean) if ready is shown else ready.sub_(mean)  # a user's function may keep its result
            yield Batch(ready.div_(std), targets, at, None if augment.views is None else seen)


@final
@dataclass(frozen=True, eq=False)
class TensorSplit(Split):
    """A split in memory: `images` (N, C, H, W), uint8 or float32, on the batches' device or, if short, on the CPU."""

    images: Tensor

    def to(self, device: torch.device | str) -> TensorSplit:
        """Return the same split with batches on `device`; the images move too, if free memory allows (see `fits`)."""
        same = self.images.device.type == torch.device(device).type
        images = self.images.to(device) if same or fits(self.images.nbytes, device) else self.images.cpu()
        return replace(self, images=images, targets=self.targets.to(device))

    def read(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield the images at each tensor of positions: see `Split`."""
        sizes = [len(index) for index in order]
        positions = torch.cat(list(order)).to(self.images.device)  # copied once: a copy for every batch would wait
        for index in torch.split(positions, sizes):
            yield self.images.index_select(0, index).to(self.device)


@final
@dataclass(frozen=True, eq=False)
class StreamSplit(Split):
    """A split decoded as needed, by `workers` processes: item i of `files` is (C, H, W), uint8 or float32."""

    files: Dataset[Tensor]
    workers: int = field(default_factory=torch.get_num_threads)

    def to(self, device: torch.device | str) -> StreamSplit:
        """Return the same split with batches on `device`."""
        return replace(self, targets=self.targets.to(device))

    def read(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield the images at each tensor of positions: see `Split`."""
        loader: DataLoader[Tensor] = DataLoader(
            self.files,
            batch_sampler=[index.tolist() for index in order],
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # without a generator the loader draws from torch's global state every epoch
        )
        for images in loader:
            yield images.to(self.device, non_blocking=True)


def fits(size_bytes: int, device: torch.device | str = "cpu") -> bool:
    """Whether a set of `size_bytes` may live on `device`: less than a quarter of the free memory."""
    return size_bytes < free_bytes(device) // 4


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Return the bytes free on `device`: a GPU's own, else the host's within the process's control groups."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    host, within = _host_free_bytes(), memory_headroom()
    return host if within is None else min(host, within)


def _host_free_bytes() -> int:
    table = Path("/proc/meminfo")
    if table.exists():  # MemAvailable counts the page cache as free, sysconf's SC_AVPHYS_PAGES does not
        lines = dict(line.split(":", 1) for line in table.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
