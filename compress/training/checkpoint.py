"""The state of a training run between two epochs, on disk, so that a lost process costs at most one epoch."""

from __future__ import annotations

import copy
import hashlib
import io
import logging
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from compress.errors import DiskError
from compress.training.series import Row

EVERY_SECONDS = 2.0
QUICK_SECONDS = 0.04
"""Longest write for the shortest interval. Slower files are written less often: writing takes 2 % of the time."""
SEAL = b"sha256"
"""Bytes before the checksum at the end of a file."""


class Stateful(Protocol):
    """An object whose state can be saved and restored."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Restore a state that `state_dict` returned."""


class Checkpoint:
    """Saves model, adapters, optimizer, hooks, random state and epoch in `path`; does nothing when `path` is None.

    The figures of the epochs so far, `series`, are saved too, and restored into the same list.
    A file is written at most every two seconds, or less often where the last file took long to write: see
    `QUICK_SECONDS`. A state saved on another device is restored on this device.
    """

    def __init__(
        self,
        path: Path | None,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        hooks: Sequence[Stateful] = (),
        series: list[Row] | None = None,
    ) -> None:
        self.path, self.module, self.optimizer, self.generator = path, module, optimizer, generator
        self.hooks = hooks
        self.series: list[Row] = [] if series is None else series
        self.last, self.every = time.monotonic(), EVERY_SECONDS

    def restore(self) -> int:
        """Restore the saved state and return the number of finished epochs; 0 without a usable file."""
        if self.path is None or not self.path.exists():
            return 0
        parts: list[Stateful] = [self.module, self.optimizer, *self.hooks]
        before, drawn = copy.deepcopy([part.state_dict() for part in parts]), self.generator.get_state()
        try:
            state = torch.load(io.BytesIO(_verified(self.path.read_bytes())), map_location="cpu", weights_only=True)
            self.module.load_state_dict(state["module"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            for hook, known in zip(self.hooks, state["hooks"], strict=True):
                hook.load_state_dict(known)
            self.series[:] = state.get("series", [])  # files of earlier versions have none
            return int(state["epochs"])
        except Exception as error:  # a torn file can fail anywhere in the reader; the training then restarts
            logging.getLogger(__name__).warning("checkpoint %s cannot be read (%s): starting over", self.path, error)
            for part, known in zip(parts, before, strict=True):  # a file that does not fit may have been loaded in part
                part.load_state_dict(known)
            self.generator.set_state(drawn)
            self.path.unlink(missing_ok=True)
            return 0

    def keep(self, epochs: int) -> None:
        """Write the state after `epochs` finished epochs, atomically; skip the write if the last file is recent enough.

        Raise DiskError when the disk refuses the file.
        """
        if self.path is None or time.monotonic() - self.last < self.every:
            return
        started = time.monotonic()
        state = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "hooks": [hook.state_dict() for hook in self.hooks],
            "epochs": epochs,
            "series": self.series,
        }
        packed = io.BytesIO()  # torch's own writer reports a full disk as "unexpected pos 128 vs 0"
        torch.save(state, packed)
        packed.seek(0, io.SEEK_END)
        packed.write(SEAL + hashlib.sha256(packed.getbuffer()).digest())
        temporary = self.path.with_name(f"{self.path.name}.{socket.gethostname()}-{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(packed.getbuffer())
            os.replace(temporary, self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise DiskError(f"checkpoint: cannot write {self.path}: {error.strerror}") from error
        self.last = time.monotonic()
        self.every = EVERY_SECONDS * max(1.0, (self.last - started) / QUICK_SECONDS)

    def remove(self) -> None:
        """Delete the file at the end of the training."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _verified(data: bytes) -> bytes:
    """Return the file without its checksum, unknown to torch's reader; ValueError when the checksum does not match.

    Files of earlier versions have no checksum.
    """
    size = len(SEAL) + hashlib.sha256().digest_size
    state, seal = data[:-size], data[-size:]
    if not seal.startswith(SEAL):
        return data
    if seal != SEAL + hashlib.sha256(state).digest():
        raise ValueError("its checksum does not match")
    return state
