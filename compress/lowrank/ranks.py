"""Choose the rank of each layer: by the share of weights that must go, or as the method's settings name the ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from compress.errors import RecipeError

if TYPE_CHECKING:
    from compress.lowrank.factorizer import Factorizer, Layer


def ranks_by_sparsity(
    factorizer: Factorizer, layers: Mapping[str, Layer], sparsity: float, before: int, whole: str
) -> dict[str, int]:
    """Return the ranks, by layer name, with which at least `sparsity` of `before` weights go.

    A layer without a rank stays: its factors would cost as much as the layer. RecipeError when even rank 1 everywhere
    keeps too many weights; `whole` ends the message with the layers left whole.
    """
    spectra = {n: torch.linalg.svdvals(factorizer.matrix(m).double()) for n, m in layers.items()}

    def ranks(strength: float) -> dict[str, int]:
        wanted = {n: factorizer.rank(spectra[n], strength) for n in layers}
        return {n: k for n, k in wanted.items() if k * _per_rank(factorizer, layers[n]) < layers[n].weight.numel()}

    def removed(strength: float) -> float:
        kept = ranks(strength)
        saved = (m.weight.numel() - kept[n] * _per_rank(factorizer, m) for n, m in layers.items() if n in kept)
        return sum(saved) / before

    low, high = 0.0, 1.0
    if removed(low) < sparsity:
        raise RecipeError(
            f"{factorizer.name}: sparsity must be at most {removed(low):.3f} here, got {sparsity:g}{whole}"
        )
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if removed(middle) >= sparsity else (low, middle)
    return ranks(low)


def named_ranks(factorizer: Factorizer, layers: Mapping[str, Layer], whole: str) -> dict[str, int]:
    """Return the ranks that the method's `ranks` name for the convolutions among `layers`, without ranks of 0.

    RecipeError unless there is a rank for each convolution, at most the full rank, and the pairs have fewer weights
    than the convolutions; `whole` ends the message with the layers left whole.
    """
    convolutions = {name: layer for name, layer in layers.items() if isinstance(layer, nn.Conv2d)}
    wanted = factorizer.ranks or ()
    if len(wanted) != len(convolutions):
        raise RecipeError(
            f"{factorizer.name}: ranks must name a rank for each of the {len(convolutions)} convolutions, "
            f"got {len(wanted)}{whole}"
        )
    found: dict[str, int] = {}
    for (name, layer), rank in zip(convolutions.items(), wanted, strict=True):
        full = min(factorizer.matrix(layer).shape)
        found[name] = rank if isinstance(rank, int) else math.ceil(rank * full)
        if found[name] > full:
            raise RecipeError(f"{factorizer.name}: the rank of {name} must be at most {full}, got {rank}")
    found = {name: rank for name, rank in found.items() if rank}
    before = sum(layers[name].weight.numel() for name in found)
    after = sum(rank * _per_rank(factorizer, layers[name]) for name, rank in found.items())
    if after >= before:
        raise RecipeError(
            f"{factorizer.name}: ranks must leave fewer than the {before} weights of their convolutions, got {after}"
        )
    return found


def check_ranks(who: str, ranks: object) -> None:
    """Raise RecipeError unless `ranks` is a tuple of whole numbers from 0 and shares in (0, 1), not all of them 0."""
    if not isinstance(ranks, tuple) or not ranks or not all(map(_is_rank, ranks)) or not any(ranks):
        raise RecipeError(
            f"{who}: ranks must be whole numbers, 0 for a layer left whole, or shares in (0, 1) of the full rank, "
            f"got {ranks!r}"
        )


def _is_rank(rank: object) -> bool:
    if isinstance(rank, bool):
        return False
    return rank >= 0 if isinstance(rank, int) else isinstance(rank, float) and 0 < rank < 1


def _per_rank(factorizer: Factorizer, layer: Layer) -> int:
    return sum(factorizer.matrix(layer).shape)
