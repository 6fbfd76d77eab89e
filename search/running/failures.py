"""Kinds of exceptions in a worker: too little memory, a GPU lost to the process, a node unfit for the search."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import torch

OF_MACHINE = ("can't allocate memory", "std::bad_alloc")
"""Torch's messages when the machine's memory is full."""
OF_GPU = ("out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED")
"""Messages of CUDA and its libraries when a GPU's memory is full; each library has words of its own."""
NO_KERNEL = "no kernel image is available"
"""CUDA's words for a GPU this torch was not built for."""
REMEDY = "install a torch made for that GPU and its driver, or search with --gpus-per-trial 0"

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""Colours for a terminal in Ray's errors."""


class GpuLost(RuntimeError):
    """Raised when this process cannot use CUDA any more; another process may do better."""


class NodeError(RuntimeError):
    """Raised when no process of this node can carry out trials: its GPU is of no use, or a user's file is missing."""


def is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out, a GPU's or the machine's."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in (*OF_MACHINE, *OF_GPU))


def out_of_memory(error: Exception | str, gpus: float) -> str:
    """Return why a trial with so many GPUs failed, and the option that gives a trial more memory."""
    what = (str(error) or "this trial asked for more than there is").splitlines()[0]
    if not gpus or isinstance(error, MemoryError | str) or any(words in what for words in OF_MACHINE):
        return f"out of memory: {what}; a larger --cpus-per-trial runs fewer trials at once"
    if gpus < 1:
        return f"out of memory: {what}; a larger --gpus-per-trial lets fewer trials share a GPU"
    return f"out of memory: {what}; the trial had a whole GPU: smaller models, or smaller images, take less"


def is_lost(error: Exception) -> bool:
    """Return whether every further call of CUDA in this process will fail, as after a bad access."""
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    return isinstance(error, torch.AcceleratorError) or str(error).startswith(("CUDA error", "cuDNN error"))


def lost(error: Exception) -> str:
    """Return a sentence on the lost GPU and the reason."""
    return f"a GPU of {socket.gethostname()} failed: {str(error).splitlines()[0]}"


def missing(error: Exception) -> str:
    """Return a sentence on a file or a library that the driver found and this node did not, from the complaint."""
    rule = "every node must have the libraries and the files of the search, the files under the same path"
    return f"on {socket.gethostname()} {error}; {rule}"


def check_gpu(gpus: float) -> None:
    """Raise NodeError when Ray gave a GPU to a trial and torch sees none."""
    if gpus and not torch.cuda.is_available():
        raise NodeError(
            f"a trial was given a GPU of {socket.gethostname()}, but {_torch()} sees none there; the driver may be too "
            f"old for it: {REMEDY}"
        )


def unusable(error: Exception) -> str:
    """Return a sentence if torch has no code for this machine's GPU; "" for any other error."""
    said = str(error).partition("\n")[0]
    return f"{_torch()} has no code for the GPU of {socket.gethostname()}: {REMEDY}" if NO_KERNEL in said else ""


def _torch() -> str:
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    return f"torch {torch.__version__.partition('+')[0]}, {built},"


def reason_gone(file: str | None, deaths: int) -> str:
    """Return why a trial's worker is gone for good, in a sentence, from Tune's file of the trial's errors."""
    last = last_error(file)
    lines = last.strip().splitlines()[1:]
    if "low on memory" in last:
        return out_of_memory("Ray ended its worker, for the machine's memory was full", 0.0)
    if gpu_lost(last):
        return f"{gpu_lost(last)}; so it did {deaths} times"
    if not lines or "actor" in lines[0]:
        return f"its worker died {deaths} times" + (f": {lines[0]}" if lines else "")
    return f"its worker failed ({lines[-1]})"


def last_error(file: str | None) -> str:
    """Return the last error in Tune's file of a trial's errors; "" without a file."""
    there = file is not None and Path(file).exists()
    text = Path(file or "").read_text(encoding="utf-8", errors="replace") if there else ""
    return COLOUR.sub("", text).rpartition("Failure # ")[2]


def gpu_lost(error: str) -> str:
    """Return the sentence of a worker that lost its GPU; "" for a worker that ended otherwise."""
    _, found, rest = error.rpartition(f"{GpuLost.__name__}: ")
    return rest.splitlines()[0] if found else ""
