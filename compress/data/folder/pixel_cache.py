"""Keep a decoded folder in two files: the pixels, and the facts about the images.

A hash of the images' names, sizes and times of change names both files. Damaged files are ignored and written anew: the
facts end in a checksum and include a fingerprint of the pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, final

import numpy as np
from filelock import SoftFileLease
from numpy.typing import NDArray

DECODING = 2
"""Raise the number whenever decoding gives other pixels than before: 2 turns images upright."""
LEASE_S = 60.0
"""Seconds without a sign of life until a process of another node is taken for dead."""
_Bytes = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Facts:
    """Facts about a set of images, in the terms of `Task`. `images` describes for people how sizes were made equal."""

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    images: str


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
            images: _Bytes = np.load(self._file("npy"), mmap_mode="c", allow_pickle=False)
            return images if images.shape == shape and images.dtype == np.uint8 else None
        except (OSError, ValueError, EOFError, OverflowError, TypeError):
            return None

    def write(self, facts: Facts, pixels: _Bytes | None) -> None:
        """Write both files, the facts last: facts without pixels would mean a streamed set."""
        if self.folder is None:
            return
        if pixels is not None:
            self._write("npy", lambda file: np.save(file, pixels))
        text = json.dumps(asdict(facts)).encode()
        self._write("json", lambda file: file.write(text + b"\n" + hashlib.sha256(text).hexdigest().encode()))

    def _file(self, kind: str) -> Path:
        if self.folder is None:
            raise FileNotFoundError(f"{self.key}.{kind}")
        return self.folder / f"images-{DECODING}-{self.key}.{kind}"

    def _write(self, kind: str, write: Callable[[IO[bytes]], object]) -> None:
        entry = self._file(kind)
        handle, temporary = tempfile.mkstemp(dir=entry.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
            os.replace(temporary, entry)
        except BaseException:
            os.unlink(temporary)
            raise
