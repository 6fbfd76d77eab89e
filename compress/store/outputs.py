"""A model's outputs on validation and test, kept in half precision: a metric thought of later needs no network."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from compress.data.splits import Split
from compress.data.tasks import Task
from compress.errors import StoreError
from compress.machine.numerics import exact

MOST = 2048
"""Greatest number of values kept of an image: 4 kB."""
BATCH = 512


def outputs_of(model: nn.Module, task: Task) -> bytes | None:
    """Return the outputs `(N, ...)` on both splits, packed; None if an image has more than `MOST` values.

    Values beyond the range of half precision are kept in full.
    """
    found: dict[str, Tensor] = {}
    for name in ("validation", "test"):
        split: Split = getattr(task, name)
        with torch.no_grad(), exact():
            parts = [model.eval()(batch.images).float().cpu() for batch in split.batches(BATCH)]
        whole = torch.cat(parts)
        if whole[0].numel() > MOST:
            return None
        half = whole.half()
        found[name] = half if torch.equal(half.isfinite(), whole.isfinite()) else whole
    return save(found)


def unpacked(packed: bytes) -> dict[str, Tensor]:
    """Return the outputs by split, float32; StoreError for a damaged file."""
    try:
        found = load(packed)
        return {name: found[name].float() for name in ("validation", "test")}
    except (SafetensorError, KeyError) as error:
        raise StoreError(f"outputs: the file is damaged: {error}") from error
