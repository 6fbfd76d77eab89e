"""The GPUs of a trial: as many as were asked for, else one where there are any. What was chosen is said in a line."""

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
"""Variables that tell torch how to allocate a GPU's memory, read when it does so first; the first is for all kinds."""


def share_gpu(share: float) -> None:
    """Let this process take so much of a GPU's memory, in (0, 1); to be called before it has any.

    Torch keeps what it has freed in pieces of the sizes it had, of which a share has little room for other sizes: they
    can grow here, unless the user has told torch something else.
    """
    if not any(name in os.environ for name in ALLOCATOR):
        os.environ[ALLOCATOR[0]] = "expandable_segments:True"
    torch.cuda.set_per_process_memory_fraction(share)


@dataclass(frozen=True)
class Room:
    """CPUs and GPUs that trials may take, over all nodes."""

    cpus: float
    gpus: float

    @classmethod
    def of(cls, address: str | None) -> Room:
        """Of this machine, or of all nodes of the Ray at `address`, to which this process is connected.

        GPUs of this machine count if torch can use them: Ray counts others too.
        """
        if address is None:
            return cls(usable_cpus(), torch.cuda.device_count())
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return cls(*(sum(node.get(kind, 0.0) for node in nodes) for kind in ("CPU", "GPU")))


def settled(settings: Settings, begun: float | None, room: Room) -> tuple[Settings, str]:
    """The settings with a number of `gpus_per_trial`, and a line for the user; "" where there is nothing to say.

    Left out, the number is the one the study was `begun` with, as far as this machine has it; in a new study, for which
    `begun` is None, one GPU where there are any.
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
    """How many trials run at once on the GPUs, and whether the CPUs are enough for all."""
    by_gpu, by_cpu = int(room.gpus / gpus + 1e-6), int(room.cpus // settings.cpus_per_trial)
    if not by_gpu or not by_cpu:
        return ""  # nodes are yet to come, which is said where trials wait for them
    line = f"trials take {_gpus(gpus)} each, {min(by_gpu, by_cpu)} at once on {_gpus(room.gpus)} and {room.cpus:g} CPUs"
    if by_cpu < by_gpu:
        cpus = settings.cpus_per_trial
        return f"{line}; at {cpus} CPU{'s' * (cpus > 1)} a trial the CPUs are too few to keep all GPUs busy"
    share = "; --gpus-per-trial .25 lets four share one, 0 means the CPU" if settings.gpus_per_trial == ONE else ""
    return line + share


def _idle(settings: Settings, asked: float | None, begun: float | None, room: Room) -> str:
    """Why trials run on the CPU, where somebody might think otherwise."""
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
