"""What every low-rank method is, and the choice of ranks that removes a wanted share of the weights.

A method turns one layer into two; how far each layer's rank falls is one number for the whole network, the strength
in (0, 1]. It is found by bisection so that the network loses the wanted share of its factorizable weights. A layer
whose two factors would cost as much as the one is left alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.pruning.pruner import weighted_layers

Layer = nn.Conv2d | nn.Linear


class Factorizer(ABC):
    """Two thin layers for a thick one."""

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def matrix(self, layer: Layer) -> Tensor:
        """The layer's weight as the matrix that is decomposed, `(rows, columns)`."""

    @abstractmethod
    def factors(self, layer: Layer, rank: int) -> nn.Sequential:
        """The layer in two, of the given rank in `[1, min(rows, columns)]`; at full rank the same map."""

    @abstractmethod
    def rank(self, spectrum: Tensor, strength: float) -> int:
        """The rank kept of singular values `(R,)`, falling as `strength` falls from 1 to 0; at least 1."""


def factorize(model: nn.Module, factorizer: Factorizer, sparsity: float) -> nn.Module:
    """Replace layers of `model` in place so that at least `sparsity` of their weights go; returns the model.

    The first layer and the classifier count as any other, and so do grouped convolutions, which are left whole.
    RecipeError when even rank 1 everywhere keeps too much.
    """
    weighted = weighted_layers(model)
    layers = {n: m for n, m in weighted.items() if getattr(m, "groups", 1) == 1}
    spectra = {n: torch.linalg.svdvals(factorizer.matrix(m).double()) for n, m in layers.items()}
    before = sum(m.weight.numel() for m in weighted.values())

    def ranks(strength: float) -> dict[str, int]:
        wanted = {n: factorizer.rank(spectra[n], strength) for n in layers}
        return {n: k for n, k in wanted.items() if k * _per_rank(factorizer, layers[n]) < layers[n].weight.numel()}

    def removed(strength: float) -> float:
        kept = ranks(strength)
        saved = (m.weight.numel() - kept[n] * _per_rank(factorizer, m) for n, m in layers.items() if n in kept)
        return sum(saved) / before

    low, high = 0.0, 1.0
    if removed(low) < sparsity:
        raise RecipeError(f"{factorizer.name}: sparsity must be at most {removed(low):.3f} here, got {sparsity:g}")
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if removed(middle) >= sparsity else (low, middle)
    for name, rank in ranks(low).items():
        model.set_submodule(name, factorizer.factors(layers[name], rank))
    return model


def _per_rank(factorizer: Factorizer, layer: Layer) -> int:
    return sum(factorizer.matrix(layer).shape)
