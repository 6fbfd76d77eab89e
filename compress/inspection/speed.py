"""Seconds of several networks by batch size, timed in turns: a disturbance of the machine hits all of them alike."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from compress.errors import RecipeError, check_whole
from compress.measure import device_name, using_threads

BATCHES = (1, 8, 64, 512)
ROUNDS = 3
"""Rounds over all networks; a network's quickest median counts, for a disturbance only slows a network down."""
CALLS = (3, 30)
"""Least and greatest number of passes a network has in a round, after a pass that is not timed."""
ROUND_S = 0.5
"""Seconds a network's passes of a round shall take, within `CALLS`."""
MOST_BATCH = 65536

Times = dict[str, dict[int, float]]


def check_batches(batches: Sequence[int]) -> tuple[int, ...]:
    """Return each batch size once, in order; RecipeError unless all are whole numbers from 1 to `MOST_BATCH`."""
    if not batches:
        raise RecipeError("batches: must be whole numbers of at least 1, got none")
    for batch in batches:
        check_whole("batches: a batch", batch, 1)
        if batch > MOST_BATCH:
            raise RecipeError(f"batches: a batch must be at most {MOST_BATCH}, got {batch}")
    return tuple(dict.fromkeys(batches))


def devices() -> list[torch.device]:
    """Return the CPU, and a GPU if there is one."""
    return [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]


def times(
    models: Mapping[str, nn.Module],
    shape: tuple[int, int, int],
    batches: Sequence[int],
    device: torch.device,
    threads: int = 1,
) -> Times:
    """Return each network's median in ms of a forward pass, by batch size, on `device` with `threads` threads.

    The networks run layer by layer, in eval mode, on images of zeros of `shape` (C, H, W), in turns: one round of a
    network, one of the next. The networks move to `device`. RuntimeError if a batch does not fit into memory.
    """
    placed = {key: model.eval().to(device) for key, model in models.items()}
    found: Times = {key: {} for key in models}
    with using_threads(threads), torch.inference_mode():
        for batch in batches:
            try:
                images = torch.zeros(batch, *shape, device=device)
                for _ in range(ROUNDS):
                    for key, model in placed.items():
                        found[key][batch] = min(found[key].get(batch, math.inf), _round(model, images))
            except (torch.OutOfMemoryError, MemoryError) as error:
                raise RuntimeError(
                    f"speed: a batch of {batch} must fit into the memory of {device}, it does not"
                ) from error
    return found


def _round(model: nn.Module, images: Tensor) -> float:
    """Return the median in ms of as many passes as `ROUND_S` allows."""
    first = _pass(model, images)
    calls = int(min(max(ROUND_S * 1000 / max(first, 1e-3), CALLS[0]), CALLS[1]))
    taken = sorted(_pass(model, images) for _ in range(calls))
    return (taken[(calls - 1) // 2] + taken[calls // 2]) / 2


def _pass(model: nn.Module, images: Tensor) -> float:
    start = time.perf_counter()
    model(images)
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1000


def rows(found: Mapping[str, Times], macs: Mapping[str, int], against: str) -> dict[str, dict[str, Any]]:
    """Return by network the theoretical speed-up and the rows of times, ready for JSON.

    `found` has `times` by device name. `theoretical` is the MACs of the network `against` for each MAC of the network;
    the `speedup` of a row is the milliseconds of `against` for each of the network's, on the same device and batch.
    """
    base = macs[against]
    return {
        key: {
            "macs": macs[key],
            "theoretical": base / macs[key] if macs[key] else math.nan,
            "times": [
                {"device": device, "batch": batch, "median_ms": ms, "speedup": times_[against][batch] / ms}
                for device, times_ in found.items()
                for batch, ms in times_[key].items()
            ],
        }
        for key in macs
    }


def named(device: torch.device) -> str:
    """Return the device's name for people."""
    return device_name(device)
