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

EVERY_SECONDS = 2.0
QUICK_SECONDS = 0.04
"""A file may take so long to write. With a slower one the files are as much rarer: 2 % of the time goes into them."""
SEAL = b"sha256"
"""Before the checksum at the end of a file."""


class Stateful(Protocol):
    """What has a state that can be saved and set again."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Go on from what `state_dict` gave."""


class Checkpoint:
    """Keeps model, adapters, optimizer, hooks, random state and epoch in `path`; does nothing when `path` is None.

    Epochs shorter than two seconds are not worth a file each: one is written when two seconds have passed, or longer
    where the last one took long to write. A state of another device goes on here.
    """

    def __init__(
        self,
        path: Path | None,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        hooks: Sequence[Stateful] = (),
    ) -> None:
        self.path, self.module, self.optimizer, self.generator = path, module, optimizer, generator
        self.hooks = hooks
        self.last, self.every = time.monotonic(), EVERY_SECONDS

    def restore(self) -> int:
        """Load what is there and return the number of finished epochs, 0 when nothing usable is there."""
        if self.path is None or not self.path.exists():
            return 0
        parts: list[Stateful] = [self.module, self.optimizer, *self.hooks]
        before, drawn = copy.deepcopy([part.state_dict() for part in parts]), self.generator.get_state()
        try:
            state = torch.load(io.BytesIO(_whole(self.path.read_bytes())), map_location="cpu", weights_only=True)
            self.module.load_state_dict(state["module"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            for hook, known in zip(self.hooks, state["hooks"], strict=True):
                hook.load_state_dict(known)
            return int(state["epochs"])
        except Exception as error:  # a torn file can fail anywhere in the reader; it costs a restart, not the run
            logging.getLogger(__name__).warning("checkpoint %s cannot be read (%s): starting over", self.path, error)
            for part, known in zip(parts, before, strict=True):  # one that does not fit may have been loaded in part
                part.load_state_dict(known)
            self.generator.set_state(drawn)
            self.path.unlink(missing_ok=True)
            return 0

    def keep(self, epochs: int) -> None:
        """Write the state after `epochs` finished epochs, atomically, unless one was written just now.

        DiskError when the disk refuses it.
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
        }
        packed = io.BytesIO()  # torch's own writer says of a full disk "unexpected pos 128 vs 0"
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
        """The run is over: its file goes."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _whole(data: bytes) -> bytes:
    """The file without its checksum, which torch's reader does not need; ValueError when the checksum does not match.

    Files of earlier versions have none.
    """
    size = len(SEAL) + hashlib.sha256().digest_size
    state, seal = data[:-size], data[-size:]
    if not seal.startswith(SEAL):
        return data
    if seal != SEAL + hashlib.sha256(state).digest():
        raise ValueError("its checksum does not match")
    return state
