"""Keep a teacher's logits of every view of every training image: computed once, for all trials.

An image has 162 views under a crop with padding 4 and a flip, so a training of some hundred epochs, or a few short
trainings, see most views again. The logits lie in a sparse file a teacher, shared by all processes of a node.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CHUNK = 32
"""Images a call: a network's logits of an image are bitwise the same only among batches of equal size."""


class Views:
    """Logits by image and view, in half precision: relative error at most 2^-11, bitwise the same for every reader.

    A row is the K logits and a checksum of logits and place: a hole in the file, a row cut short by a crash, and a row
    that belongs elsewhere count as missing. The file has room for `images * views` rows of `2 (K + 1)` bytes, and takes
    disk space for the written rows only.
    """

    def __init__(self, path: Path, images: int, views: int, classes: int) -> None:
        self.shape = (images, views, classes + 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        os.ftruncate(self._file, self.size_bytes(images, views, classes))  # the same size for every process
        self._rows: NDArray[np.uint16] = np.memmap(path, np.uint16, mode="r", shape=self.shape)
        self._writes = True

    @staticmethod
    def size_bytes(images: int, views: int, classes: int) -> int:
        """Return the file's nominal size in bytes; a file with missing views takes less disk space."""
        return 2 * images * views * (classes + 1)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def logits(self, index: Tensor, view: Tensor | None, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the logits `(B, K)`, float32, of the images at `index` `(B,)`, each in its `view` `(B,)`.

        `view` None stands for images without augmentation. `compute` maps positions within the batch `(CHUNK,)` to
        logits; only missing rows are computed, the last call filled up with repeats.
        """
        at = index.cpu().numpy()
        seen = np.zeros_like(at) if view is None else view.cpu().numpy()
        rows = self._rows[at, seen]
        places = at * self.shape[1] + seen
        missing = np.flatnonzero(rows[:, -1] != _checksum(rows[:, :-1], places))
        if len(missing):
            padded = torch.from_numpy(np.resize(missing, -(-len(missing) // CHUNK) * CHUNK)).to(index.device)
            found = torch.cat([compute(positions) for positions in torch.split(padded, CHUNK)])[: len(missing)]
            computed = found.half().cpu().numpy().view(np.uint16)
            rows[missing] = np.concatenate([computed, _checksum(computed, places[missing])[:, None]], axis=1)
            self._keep(places[missing], rows[missing])
        return torch.from_numpy(rows[:, :-1].view(np.float16).astype(np.float32)).to(index.device)

    def _keep(self, places: NDArray[np.int64], rows: NDArray[np.uint16]) -> None:
        """Write rows to the file, not through the mapping: a full disk under a mapping ends the process."""
        if not self._writes:
            return
        size = 2 * self.shape[2]
        try:
            for place, row in zip(places.tolist(), rows, strict=True):
                os.pwrite(self._file, row.tobytes(), place * size)
        except OSError as error:
            self._writes = False  # the training goes on without the file
            logging.getLogger(__name__).warning("views: a teacher's logits are not kept: %s", error.strerror)


def _checksum(bits: NDArray[np.uint16], places: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Return a checksum, never 0, of every row with its place in the file."""
    weights = np.arange(1, bits.shape[1] + 1, dtype=np.uint32)
    total: NDArray[np.uint32] = (bits.astype(np.uint32) * weights).sum(axis=1, dtype=np.uint32) + np.uint32(40503)
    total = total + (places * 2_654_435_761).astype(np.uint32)  # Knuth's multiplier: neighbours differ in all bits
    found: NDArray[np.uint16] = np.maximum((total ^ total >> 16) & 0xFFFF, 1).astype(np.uint16)
    return found
