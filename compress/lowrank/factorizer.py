"""The interface of a low-rank method, and the choice of ranks that removes a wanted share of the weights.

A method turns one layer into two. One number for the whole network, the strength in (0, 1], decides how far each
layer's rank falls; bisection finds the strength at which the network loses the wanted share of its weights. A layer is
left alone if its two factors would cost as much as the layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from compress.agreement import IMAGES, Activations, activations, changed_at
from compress.errors import RecipeError, said
from compress.opaque import doubly_named, opaque_layers, sentence
from compress.pruning.pruner import weight_count, weighted_layers

Layer = nn.Conv2d | nn.Linear


class Factorizer(ABC):
    """Replaces a layer by two thin layers."""

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def matrix(self, layer: Layer) -> Tensor:
        """Return the layer's weight as the matrix to decompose, `(rows, columns)`."""

    @abstractmethod
    def factors(self, layer: Layer, rank: int) -> nn.Sequential:
        """Return the layer as a pair of the given rank in `[1, min(rows, columns)]`; at full rank the same map."""

    @abstractmethod
    def product(self, pair: nn.Sequential, layer: Layer) -> Tensor:
        """Multiply the pair into a single weight of the layer's shape."""

    @abstractmethod
    def rank(self, spectrum: Tensor, strength: float) -> int:
        """Return the rank kept of singular values `(R,)`, at least 1; falls as `strength` falls from 1 to 0."""


def factorize(model: nn.Module, factorizer: Factorizer, sparsity: float, images: Tensor | None = None) -> nn.Module:
    """Replace layers of `model` in place so that at least `sparsity` of their weights go; return the model.

    The first layer, the classifier and layers left whole count among the weights. Layers are left whole if they are
    grouped convolutions or cannot be replaced by two layers. RecipeError when even rank 1 everywhere keeps too many
    weights. RecipeError when, on `images` `(B, C, H, W)` if given, the pairs compute something else than layers with
    their product as weight.
    """
    whole = {**opaque_layers(model), **doubly_named(model)}
    weighted = {n: m for n, m in weighted_layers(model).items() if n not in whole}
    layers = {n: m for n, m in weighted.items() if getattr(m, "groups", 1) == 1}
    spectra = {n: torch.linalg.svdvals(factorizer.matrix(m).double()) for n, m in layers.items()}
    before = weight_count(model)

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
            f"{factorizer.name}: sparsity must be at most {removed(low):.3f} here, got {sparsity:g}{sentence(whole)}"
        )
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if removed(middle) >= sparsity else (low, middle)
    pairs = {name: factorizer.factors(layers[name], rank) for name, rank in ranks(low).items()}
    wanted = None if images is None else _with_products(model, factorizer, pairs, images[:IMAGES])
    for name, pair in pairs.items():
        model.set_submodule(name, pair.requires_grad_(layers[name].weight.requires_grad))
    if wanted is not None and images is not None:
        _check(factorizer, wanted, model, images[:IMAGES])
    return model


def _with_products(
    model: nn.Module, factorizer: Factorizer, pairs: dict[str, nn.Sequential], images: Tensor
) -> Activations:
    """Run the model with each layer's weight replaced by the product of its pair."""
    layers = weighted_layers(model)
    with torch.no_grad():
        for name, pair in pairs.items():
            layer = layers[name]
            layer.weight.copy_(factorizer.product(pair, layer))
    return activations(model, images, pairs)


def _check(factorizer: Factorizer, wanted: Activations, model: nn.Module, images: Tensor) -> None:
    """Raise RecipeError unless the model computes the same with pairs as with their products."""
    rule = f"{factorizer.name}: two layers must do what one did"
    remedy = "something else than its call may read the layer; use l1-unstructured or int8"
    try:
        at = changed_at(wanted, activations(model, images, wanted.outputs))
    except Exception as error:  # a user's own forward raises anything
        raise RecipeError(f"{rule}, got {said(error)}; {remedy}") from error
    if at is not None:
        raise RecipeError(f"{rule}, {at or 'the network'} computes something else; {remedy}")


def _per_rank(factorizer: Factorizer, layer: Layer) -> int:
    return sum(factorizer.matrix(layer).shape)
