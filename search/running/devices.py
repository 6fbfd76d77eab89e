"""GPUs of a trial: as many as were asked for, otherwise one where there are any; a note states the choice."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import ray
import torch

from compress.machine.resources import usable_cpus
from search.settings import Settings

ONE = 1.0
"""GPUs of a trial where `--gpus-per-trial` is left out and there are GPUs."""
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")
"""Variables with torch's settings for GPU memory, read at the first allocation; the first is for all kinds of GPU."""


def share_gpu(share: float) -> None:
    """Limit this process to a share of a GPU's memory, in (0, 1); call before the first allocation.

    Torch keeps freed memory in segments of their first size, and in a share there is little room for other sizes.
    Expandable segments grow instead; a user's own setting of the allocator is kept.
    """
    if not any(name in os.environ for name in ALLOCATOR):
        os.environ[ALLOCATOR[0]] = "expandable_segments:True"
    torch.cuda.set_per_process_memory_fraction(share)


@dataclass(frozen=True)
class Room:
    """CPUs and GPUs for trials, over all nodes."""

    cpus: float
    gpus: float

    @classmethod
    def of(cls, address: str | None) -> Room:
        """Return the room of this machine, or of all nodes of the Ray at `address`, to which this process is connected.

        GPUs of this machine count if torch can use them: Ray counts others too.
        """
        if address is None:
            return cls(usable_cpus(), torch.cuda.device_count())
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return cls(*(sum(node.get(kind, 0.0) for node in nodes) for kind in ("CPU", "GPU")))


def settled(settings: Settings, begun: float | None, room: Room) -> tuple[Settings, str]:
    """Return the settings with a number of `gpus_per_trial`, and a note for the user, "" without a note.

    If left out, the number is as when the study was `begun`, at most 1, and without a cluster at most this machine's
    GPUs. In a new study `begun` is None: the number is 1 where there are GPUs, otherwise 0.
    """
    asked = settings.gpus_per_trial
    if asked is not None:
        gpus = asked
    elif begun is None:
        gpus = ONE if room.gpus else 0.0
    elif settings.address is None:
        gpus = min(begun, ONE, room.gpus)
    else:
        gpus = min(begun, ONE)
    found = replace(settings, gpus_per_trial=gpus)
    return found, _fed(found, gpus, room) if gpus else _idle(found, asked, begun, room)


def _fed(settings: Settings, gpus: float, room: Room) -> str:
    """Return a note on how many trials run at once on the GPUs, and whether the CPUs are enough for all."""
    by_gpu, by_cpu = int(room.gpus / gpus + 1e-6), int(room.cpus // settings.cpus_per_trial)
    if not by_gpu or not by_cpu:
        return ""  # nodes are yet to come: `tune_loop.py` says so
    line = f"trials take {_gpus(gpus)} each, {min(by_gpu, by_cpu)} at once on {_gpus(room.gpus)} and {room.cpus:g} CPUs"
    if by_cpu < by_gpu:
        cpus = settings.cpus_per_trial
        return f"{line}; at {cpus} CPU{'s' * (cpus > 1)} a trial the CPUs are too few to keep all GPUs busy"
    share = "; --gpus-per-trial .25 lets four share one, 0 means the CPU" if settings.gpus_per_trial == ONE else ""
    return line + share


def _idle(settings: Settings, asked: float | None, begun: float | None, room: Room) -> str:
    """Return a note on why trials run on the CPU, where a user might expect a GPU; "" otherwise."""
    if asked is not None:
        return ""
    if begun:
        return f"the study was begun with {_gpus(begun)} a trial, this machine has none: trials run on the CPU"
    if room.gpus:
        return f"trials run on the CPU, as when the study was begun; --gpus-per-trial 1 uses the {_gpus(room.gpus)}"
    if settings.address is not None:
        return "no node has a GPU now, so trials run on CPUs; --gpus-per-trial 1 waits for nodes that have one"
    return ""


def _gpus(count: float) -> str:
    return f"{count:g} GPU{'s' if count > 1 else ''}"
