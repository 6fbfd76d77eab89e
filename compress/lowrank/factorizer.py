"""The interface of a low-rank method, and the replacement of a network's layers.

A method turns one layer into two. One number for the whole network, the strength in (0, 1], decides how far each
layer's rank falls; bisection finds the strength at which the network loses the wanted share of its weights. A layer is
left alone if its two factors would cost as much as the layer. A method with `ranks` names the rank of each convolution
instead, and the share of weights is a result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from compress.agreement import IMAGES, Activations, activations, changed_at
from compress.errors import RecipeError, said
from compress.lowrank.norms import append_norms, without_norm
from compress.lowrank.ranks import named_ranks, ranks_by_sparsity
from compress.opaque import doubly_named, opaque_layers, sentence
from compress.pruning.pruner import weight_count, weighted_layers

Layer = nn.Conv2d | nn.Linear


class Factorizer(ABC):
    """Replaces a layer by two thin layers."""

    name: ClassVar[str]
    source: ClassVar[str]

    @property
    def ranks(self) -> tuple[float, ...] | None:
        """Return a rank for each convolution in order, whole or as a share of the full rank; None to find the ranks.

        Rank 0 leaves the layer whole. A method offers the choice as a field of the name.
        """
        return None

    @property
    def batch_norm(self) -> bool:
        """Return whether a BN follows each pair of convolutions without one; a method may have a field of the name."""
        return False

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


def factorize(
    model: nn.Module, factorizer: Factorizer, sparsity: float | None, images: Tensor | None = None
) -> nn.Module:
    """Replace layers of `model` in place so that at least `sparsity` of their weights go; return the model.

    With `sparsity` None the method's `ranks` decide, for convolutions alone. The first layer, the classifier and layers
    left whole count among the weights. Layers are left whole if they are grouped convolutions or cannot be replaced by
    two layers. RecipeError when even rank 1 everywhere keeps too many weights. RecipeError when the ranks do not fit.
    RecipeError when, on `images` `(B, C, H, W)` if given, the pairs compute something else than layers with their
    product as weight.
    """
    whole = {**opaque_layers(model), **doubly_named(model)}
    weighted = {n: m for n, m in weighted_layers(model).items() if n not in whole}
    layers = {n: m for n, m in weighted.items() if getattr(m, "groups", 1) == 1}
    if sparsity is None:
        ranks = named_ranks(factorizer, layers, sentence(whole))
    else:
        ranks = ranks_by_sparsity(factorizer, layers, sparsity, weight_count(model), sentence(whole))
    bare = without_norm(factorizer.name, model) if factorizer.batch_norm else set()
    pairs = {name: factorizer.factors(layers[name], rank) for name, rank in ranks.items()}
    wanted = None if images is None else _with_products(model, factorizer, pairs, images[:IMAGES])
    for name, pair in pairs.items():
        model.set_submodule(name, pair.requires_grad_(layers[name].weight.requires_grad))
    append_norms(model, {name: pair for name, pair in pairs.items() if name in bare}, images)
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
