"""What is kept of a folder once it is decoded: its pixels, and what was found out about all of them.

Both files are named by a key of the images' names, sizes and times of change, and end in a checksum. A file that is
damaged is passed over, and written anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, final

import numpy as np
from numpy.typing import NDArray

DECODING = 2
"""To be raised when files are decoded to other pixels than before: 2 turns images upright."""
_Bytes = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Facts:
    """All of a task but its pixels, its names and its labels. `images` says what was done to them, for people."""

    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    images: str


@final
@dataclass(frozen=True)
class Kept:
    """The files of one set in `folder`; without a folder nothing is kept."""

    folder: Path | None
    key: str

    def facts(self) -> Facts | None:
        """What was found out before, if it was."""
        try:
            text, _, seal = self._file("json").read_bytes().rpartition(b"\n")
            read = json.loads(text)
            whole = seal.decode() == hashlib.sha256(text).hexdigest()
            return Facts(**{**read, "mean": tuple(read["mean"]), "std": tuple(read["std"])}) if whole else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def pixels(self, shape: tuple[int, ...]) -> _Bytes | None:
        """All images, (N, channels, size, size), mapped from the file: the workers of a node share the memory."""
        try:
            images: _Bytes = np.load(self._file("npy"), mmap_mode="c", allow_pickle=False)
            with self._file("npy").open("rb") as file:
                file.seek(-hashlib.sha256().digest_size, os.SEEK_END)
                seal = file.read()
            whole = images.shape == shape and images.dtype == np.uint8 and images.flags.c_contiguous
            return images if whole and seal == hashlib.sha256(images.data).digest() else None
        except (OSError, ValueError, EOFError, OverflowError, TypeError):
            return None

    def keep(self, facts: Facts, pixels: _Bytes | None) -> None:
        """Write both, the facts last: they are there when the pixels are."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if pixels is not None:
            self._write("npy", lambda file: _write_pixels(file, np.ascontiguousarray(pixels)))
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


def _write_pixels(file: IO[bytes], pixels: _Bytes) -> None:
    np.save(file, pixels)
    file.write(hashlib.sha256(pixels.data).digest())
