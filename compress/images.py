"""Images out of files: decoded to one size by several processes, and kept decoded in a cache.

Every image becomes C x S x S: its shorter side is resized to S (bilinear) and its centre is cropped.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compress.data import DataError

_BLOCK = 256
_FEW = 1000
_Bytes = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Files(Dataset[Tensor]):
    """Images to be decoded: item i is `paths[i]` as a tensor (channels, size, size) uint8."""

    paths: tuple[str, ...]
    channels: int
    size: int

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(self.decode(self.paths[index]))

    def decode(self, path: str) -> _Bytes:
        """Return one image (channels, size, size); raises whatever Pillow does where it cannot."""
        with Image.open(path) as image:
            if image.mode[0] in "IF":
                raise ValueError(f"mode {image.mode} is not 8 bits a channel")
            colour = image.convert("L" if self.channels == 1 else "RGB")
        if colour.size != (self.size, self.size):
            colour = ImageOps.fit(colour, (self.size, self.size), Image.Resampling.BILINEAR)
        pixels = np.asarray(colour, dtype=np.uint8).reshape(self.size, self.size, self.channels)
        return np.array(pixels.transpose(2, 0, 1), order="C")  # a copy: Pillow's own memory is read-only


@final
@dataclass(frozen=True)
class _Blocks(Dataset[tuple[Tensor, list[str]]]):
    """Item i is the i-th block of images, black where undecodable, and what was wrong with those."""

    files: Files

    def __len__(self) -> int:
        return -(-len(self.files) // _BLOCK)

    def __getitem__(self, number: int) -> tuple[Tensor, list[str]]:
        files, failed = self.files, []
        paths = files.paths[number * _BLOCK : (number + 1) * _BLOCK]
        images = np.zeros((len(paths), files.channels, files.size, files.size), dtype=np.uint8)
        for row, path in enumerate(paths):
            try:
                images[row] = files.decode(path)
            except Exception as error:  # Pillow raises half a dozen types for a broken file
                why = "not an image" if isinstance(error, UnidentifiedImageError) else error
                failed.append(f"{path} ({why})")
        return torch.from_numpy(images), failed


def decode_blocks(files: Files, failures: list[str]) -> Iterator[_Bytes]:
    """Yield all images in order, in blocks (b, channels, size, size).

    An image that cannot be decoded is black, and why is appended to `failures`: see `check_readable`.
    """
    # Processes, because small images spend their time under the interpreter's lock: on two cores 17,900 JPEGs
    # of 32 x 32 a second against 6,200 with threads. Starting them does not pay for a few images.
    workers = 0 if len(files) < _FEW else min(8, os.cpu_count() or 1)
    loader: DataLoader[tuple[Tensor, list[str]]] = DataLoader(
        _Blocks(files), batch_size=None, num_workers=workers, generator=torch.Generator()
    )
    for images, failed in loader:
        failures.extend(failed)
        yield images.numpy()


def check_readable(who: str, failures: Sequence[str], count: int) -> None:
    """Raise DataError if any of `count` images failed: says how many, and the first five by name."""
    if failures:
        more = ", ..." if len(failures) > 5 else ""
        named = ", ".join(failures[:5])
        raise DataError(f"{who}: images must be readable, {len(failures)} of {count} are not: {named}{more}")


def read_images(who: str, files: Files, cache_dir: Path | None) -> _Bytes:
    """Return all images (N, channels, size, size), decoded or from the cache, which is then written.

    The cache is one .npy file a set, named by the images' paths, sizes and times of change. One that is
    damaged is passed over and written anew. DataError if an image is unreadable: see `check_readable`.
    """
    shape = (len(files), files.channels, files.size, files.size)
    entry = None
    if cache_dir is not None:
        cache_dir.mkdir(parents=True, exist_ok=True)
        entry = cache_dir / f"images-{_key(files)}.npy"
        if (cached := _read_entry(entry, shape)) is not None:
            return cached
    failures: list[str] = []
    images = np.empty(shape, dtype=np.uint8)
    at = 0
    for block in decode_blocks(files, failures):
        images[at : at + len(block)] = block
        at += len(block)
    check_readable(who, failures, len(files))
    if entry is not None:
        _write_entry(entry, images)
    return images


def _key(files: Files) -> str:
    start = len(os.path.commonpath(files.paths))
    rows = [(path[start:], (stat := os.stat(path)).st_size, stat.st_mtime_ns) for path in files.paths]
    return hashlib.sha256(json.dumps([files.channels, files.size, rows]).encode()).hexdigest()[:32]


def _read_entry(entry: Path, shape: tuple[int, ...]) -> _Bytes | None:
    """None unless the file holds such images and, behind them, their checksum."""
    try:
        with entry.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            if np.lib.format.read_array_header_1_0(file, max_header_size=1000) != (shape, False, np.dtype(np.uint8)):
                return None
            images: _Bytes = np.fromfile(file, np.uint8, prod(shape)).reshape(shape)
            return images if file.read() == hashlib.sha256(images.data).digest() else None
    except (OSError, ValueError, EOFError, MemoryError):
        return None


def _write_entry(entry: Path, images: _Bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=entry.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, images)
            file.write(hashlib.sha256(images.data).digest())
        os.replace(temporary, entry)
    except BaseException:
        os.unlink(temporary)
        raise
