"""Keep a decoded folder in two files: the pixels, and the facts about the images.

A hash of the images' names, sizes and times of change names both files. Damaged files are ignored and written anew: the
facts end in a checksum and include a fingerprint of the pixels. Pixels are written image by image as they are decoded,
and mapped into memory: a set larger than the memory is decoded once a node too.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import IO, final

import numpy as np
from filelock import SoftFileLease
from numpy.typing import NDArray

from compress.data.folder.decoding import Target

DECODING = 2
"""Raise the number whenever decoding gives other pixels than before: 2 turns images upright."""
ROOM = 0.5
"""Greatest share of the free disk for pixels of a set larger than the memory."""
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
"""Flag of a mapping that may be larger than the memory: its pages are the file's until they are written to."""
SAMPLED = 512
"""Images that tell a large file undamaged, evenly spread, the first and the last included."""
LEASE_S = 60.0
"""Seconds without a sign of life until a process of another node is taken for dead."""
_Bytes = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Facts:
    """Facts about a set of images, in the terms of `Task`. `images` describes for people how sizes were made equal.

    `sample` is the sha256 of `SAMPLED` of the images, "" if streamed or kept by an earlier version.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    images: str
    sample: str = ""


@final
@dataclass(frozen=True)
class FolderCache:
    """The two files of a decoded folder, in `folder`; with None nothing is kept."""

    folder: Path | None
    key: str

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait while another process reads the same images: the workers of a node begin at the same time."""
        if self.folder is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with SoftFileLease(self._file("lease"), lease_duration=LEASE_S):
            yield

    def facts(self) -> Facts | None:
        """Return the facts, or None without an undamaged file of facts."""
        try:
            text, _, seal = self._file("json").read_bytes().rpartition(b"\n")
            read = json.loads(text)
            undamaged = seal.decode() == hashlib.sha256(text).hexdigest()
            if "size" in read:  # of a version that made all images square
                read["height"] = read["width"] = read.pop("size")
            return Facts(**{**read, "mean": tuple(read["mean"]), "std": tuple(read["std"])}) if undamaged else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def pixels(self, shape: tuple[int, ...]) -> _Bytes | None:
        """Return all images (N, channels, height, width), mapped from the file: workers of a node share the memory.

        None if the file is missing, damaged, or of another `shape`.
        """
        try:
            with self._file("npy").open("rb") as file:
                np.lib.format.read_magic(file)
                kept, fortran, kind = np.lib.format.read_array_header_1_0(file)
                if kept != shape or fortran or kind != np.dtype(np.uint8):
                    return None
                start, private = file.tell(), mmap.MAP_PRIVATE | NO_RESERVE
                mapped = mmap.mmap(file.fileno(), 0, private, mmap.PROT_READ | mmap.PROT_WRITE)
            return np.frombuffer(mapped, np.uint8, prod(shape), start).reshape(shape)
        except (OSError, ValueError, EOFError, OverflowError, TypeError):
            return None

    def has_room(self, size_bytes: int, share: float = 1.0) -> bool:
        """Return whether pixels of so many bytes take less than a share of the free disk."""
        if self.folder is None:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        return size_bytes < share * shutil.disk_usage(self.folder).free

    @contextmanager
    def filling(self, shape: tuple[int, ...]) -> Iterator[Target]:
        """Yield a file for images of `shape`, which is kept once all are written.

        OSError where the disk refuses; then there is no file. What a killed process has left is removed: call under the
        lock.
        """
        for left in self._file("npy").parent.glob(f"{self._file('npy').name}.*.tmp"):
            left.unlink(missing_ok=True)
        with self._writing("npy") as file:
            head = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, head)
            file.flush()
            yield Target(file.name, file.tell(), prod(shape[1:]))

    def write(self, facts: Facts) -> None:
        """Write the facts, after the pixels: facts without pixels mean a streamed set."""
        if self.folder is not None:
            text = json.dumps(asdict(facts)).encode()
            with self._writing("json") as file:
                file.write(text + b"\n" + hashlib.sha256(text).hexdigest().encode())

    def _file(self, kind: str) -> Path:
        if self.folder is None:
            raise FileNotFoundError(f"{self.key}.{kind}")
        return self.folder / f"images-{DECODING}-{self.key}.{kind}"

    @contextmanager
    def _writing(self, kind: str) -> Iterator[IO[bytes]]:
        entry = self._file(kind)
        handle, temporary = tempfile.mkstemp(dir=entry.parent, prefix=f"{entry.name}.", suffix=".tmp")
        try:
            os.close(handle)
            with open(temporary, "r+b") as file:
                yield file
            os.replace(temporary, entry)
        except BaseException:
            os.unlink(temporary)
            raise


def sample(pixels: _Bytes) -> str:
    """Return the sha256 of `SAMPLED` of the images (N, C, H, W), of all of a smaller set."""
    digest = hashlib.sha256()
    for row in np.unique(np.linspace(0, len(pixels) - 1, SAMPLED).astype(np.int64)):
        digest.update(np.ascontiguousarray(pixels[row]).data)
    return digest.hexdigest()
