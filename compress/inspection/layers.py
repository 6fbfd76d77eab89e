"""Layers of a stored network beside those of the unpruned network: channels left, ranks, zeros."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compress.quantize.int8 import Int8Conv2d, Int8Linear
from compress.store.files import Files

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, Int8Conv2d)
_LINEAR = (nn.Linear, Int8Linear)


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer.

    `channels` are its filters or outputs, `live` are channels with a weight other than zero; `zeros` of the
    `weights` are zero. `rank` is a factorized layer's, None for any other layer. Figures of a factorized layer are of
    both factors.
    """

    kind: str
    channels: int
    live: int
    weights: int
    zeros: int
    rank: int | None = None


@dataclass(frozen=True)
class Pair:
    """A layer of the unpruned network and of the stored network; None if a network lacks the layer."""

    before: Layer | None
    now: Layer | None


def original(files: Files) -> nn.Module:
    """Return the network as made by its constructor, before any stage, untrained."""
    structure = json.loads(files.structure)
    with torch.random.fork_rng(devices=[]):
        return files.origin().build(structure["classes"], structure["channels"])


def compare(before: nn.Module, now: nn.Module) -> dict[str, Pair]:
    """Return the convolutions and linear layers of both networks by path, in order, added layers last."""
    found = {path: Pair(layer_of([layer]), _now(now, path)) for path, layer in _layers(before).items()}
    added = {
        path: Pair(None, layer_of([layer]))
        for path, layer in _layers(now).items()
        if path not in found and path.rpartition(".")[0] not in found
    }
    return {**found, **added}


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    return {path: layer for path, layer in model.named_modules() if isinstance(layer, _CONVOLUTIONS + _LINEAR)}


def _now(model: nn.Module, path: str) -> Layer | None:
    """Return the layer at a path, or the pair that a factorization put there."""
    try:
        layer = model.get_submodule(path)
    except AttributeError:
        return None
    parts = [layer] if isinstance(layer, _CONVOLUTIONS + _LINEAR) else [*layer.children()]
    return layer_of(parts) if parts and all(isinstance(part, _CONVOLUTIONS + _LINEAR) for part in parts) else None


def layer_of(parts: Sequence[nn.Module]) -> Layer:
    """Return the figures of a layer, or of the two factors of a layer."""
    last = parts[-1]
    rows = [_by_channel(part) for part in parts]
    return Layer(
        "convolution" if isinstance(last, _CONVOLUTIONS) else "linear",
        len(rows[-1]),
        int((rows[-1] != 0).any(1).sum()),
        sum(row.numel() for row in rows),
        sum(int((row == 0).sum()) for row in rows),
        len(rows[0]) if len(parts) > 1 else None,
    )


def _by_channel(layer: nn.Module) -> Tensor:
    """Return the weights `(channels, n)`."""
    weight = layer.get_parameter("weight").detach()
    if isinstance(layer, nn.ConvTranspose2d):  # its weight is (inputs, outputs of a group, height, width)
        groups = layer.groups
        apart = weight.reshape(groups, len(weight) // groups, layer.out_channels // groups, -1)
        return apart.transpose(1, 2).reshape(layer.out_channels, -1)
    return weight.flatten(1)
