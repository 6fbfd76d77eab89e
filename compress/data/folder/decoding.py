"""Decode a folder's images in several processes, block by block, perhaps into a file."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compress.data.folder.images import Files, Report
from compress.data.folder.walk import printable
from compress.machine.resources import usable_cpus

PATIENCE_S = 5.0
"""Seconds of decoding until the time left is announced, if longer than `LONG_S`."""
LONG_S = 60.0
"""Seconds left from which an announcement is worth a line."""
_log = logging.getLogger(__name__)
_BLOCK = 256
_FEW = 1000
_Bytes = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Target:
    """A file for decoded images of `image_bytes` each, the first at the byte `start`.

    Processes write blocks of their own, for one process cannot write as fast as the cores decode.
    """

    path: str
    start: int
    image_bytes: int

    def write(self, images: _Bytes, first: int) -> None:
        """Write images from position `first` on; OSError where the disk refuses."""
        file = os.open(self.path, os.O_WRONLY)
        try:
            left, at = images.reshape(-1).data, self.start + first * self.image_bytes
            while left:
                done = os.pwrite(file, left, at)
                left, at = left[done:], at + done
        finally:
            os.close(file)

    def read(self, images: _Bytes, first: int) -> _Bytes:
        """Read into `images` from position `first` on."""
        file = os.open(self.path, os.O_RDONLY)
        try:
            left, at = images.reshape(-1).data, self.start + first * self.image_bytes
            while done := os.preadv(file, [left], at) if left else 0:
                left, at = left[done:], at + done
        finally:
            os.close(file)
        return images


@final
@dataclass(frozen=True)
class _Blocks(Dataset[tuple[Tensor, Report]]):
    """Item i is the i-th block of images, black where undecodable, and a `Report` on the block.

    With a `target` the images, from position `first` on, are written there, and the item has none.
    """

    files: Files
    target: Target | None = None
    first: int = 0

    def __len__(self) -> int:
        return -(-len(self.files) // _BLOCK)

    def __getitem__(self, number: int) -> tuple[Tensor, Report]:
        files, report = self.files, Report()
        paths = files.paths[number * _BLOCK : (number + 1) * _BLOCK]
        images = np.zeros((len(paths), files.channels, files.height, files.width), dtype=np.uint8)
        for row, path in enumerate(paths):
            try:
                images[row], turned, fitted, opaque, counts = files.decode(path, count=True)
            except Exception as error:  # Pillow raises half a dozen types for a broken file
                report.failures.append(f"{printable(path)} ({_why(error)})")
            else:
                report.add(Report([], turned, fitted, not opaque, 0 if counts is None else counts))
        if self.target is None:
            return torch.from_numpy(images), report
        try:
            self.target.write(images, self.first + number * _BLOCK)
        except OSError as error:  # a loader would pass the error on without its number
            report.refused = error.errno or errno.EIO
        return torch.empty(0), report


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return (isinstance(error, OSError) and error.strerror) or str(error)


class TimeLeft:
    """Says once how long it takes to look through `total` images, where it takes long."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.said = total, 0, False
        self.started = time.monotonic()

    def after(self, count: int) -> None:
        """Take note of `count` further images."""
        self.done += count
        spent = time.monotonic() - self.started
        if self.said or spent <= PATIENCE_S:
            return
        self.said, left = True, spent / self.done * (self.total - self.done)
        if left > LONG_S:
            what = f"{self.total:,}"
            _log.warning("images: %s are looked through once, for about %.0f min more", what, left / 60)


def decode_blocks(files: Files, report: Report, target: Target | None = None, first: int = 0) -> Iterator[_Bytes]:
    """Yield all images in order, in blocks (b, channels, height, width), and add to `report`.

    An undecodable image is black, see `Report.check`. With a `target` the images are written there from position
    `first` on, and the blocks are read back. OSError where the disk refuses.
    """
    # Processes, not threads: small images spend their time under the interpreter's lock. On two cores processes decode
    # 17,900 JPEGs of 32 x 32 a second, threads 6,200. For a few images starting processes takes longer than decoding.
    workers = 0 if len(files) < _FEW else min(8, usable_cpus())
    loader: DataLoader[tuple[Tensor, Report]] = DataLoader(
        _Blocks(files, target, first), batch_size=None, num_workers=workers, generator=torch.Generator()
    )
    for number, (images, of_block) in enumerate(loader):
        report.add(of_block)
        if of_block.refused:
            raise OSError(of_block.refused, os.strerror(of_block.refused))
        if target is None:
            yield images.numpy()
            continue
        at = number * _BLOCK
        block = np.empty((min(_BLOCK, len(files) - at), files.channels, files.height, files.width), dtype=np.uint8)
        yield target.read(block, first + at)
