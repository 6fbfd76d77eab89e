"""Low rank by SVD: a separable pair for d x d convolutions, two plain factors for 1x1 and linear layers.

Tai et al. 2016, https://arxiv.org/abs/1511.06067; SlimNets 2018, equations 3 to 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compress.errors import RecipeError, check_kind, check_known
from compress.lowrank.factorizer import Factorizer, Layer
from compress.lowrank.ranks import check_ranks


@dataclass(frozen=True)
class SVD(Factorizer):
    """Split a layer along the SVD of its weight, with `sqrt(S)` in each half.

    A convolution `(N, C, d, e)`, seen as a `(C d, e N)` matrix, becomes `d x 1` from C to K and `1 x e` from K to N.
    Stride, padding and dilation stay with their axis, the bias goes to the second convolution.

    `keep` "energy" keeps the singular values that hold the same share of energy in every layer, "ratio" the same share
    of the full rank. With `ranks` neither counts: the tuple names the rank K of each convolution, in the network's
    order. A whole number is the rank, a share in (0, 1) the share of the full rank, rounded up, and 0 leaves the
    convolution whole. Linear layers stay, and the sparsity is a result.

    With `batch_norm` a BN follows the second convolution of each pair, unless a BN reads the pair already: SlimNets
    trains the many new layers so. The BN starts from the pair's statistics, scaled and shifted to change nothing.
    """

    name: ClassVar[str] = "svd"
    source: ClassVar[str] = "https://arxiv.org/abs/1511.06067"
    added: ClassVar[tuple[str, ...]] = ("ranks", "batch_norm")

    keep: str = "energy"
    ranks: tuple[float, ...] | None = None
    batch_norm: bool = False

    def __post_init__(self) -> None:
        check_known(f"{self.name}: keep", self.keep, ("energy", "ratio"))
        check_kind(f"{self.name}: batch_norm", self.batch_norm, (bool,))
        if self.ranks is not None:
            check_ranks(self.name, self.ranks)
        if self.ranks is not None and self.keep != type(self).keep:
            raise RecipeError(f"{self.name}: ranks are named, so keep must be left out, got {self.keep!r}")

    def matrix(self, layer: Layer) -> Tensor:
        """Return `(C d, e N)` for a convolution, `(N, C)` for a linear layer."""
        weight = layer.weight.detach()
        if isinstance(layer, nn.Linear):
            return weight
        n, c, d, e = weight.shape
        return weight.permute(1, 2, 3, 0).reshape(c * d, e * n)

    def rank(self, spectrum: Tensor, strength: float) -> int:
        """Choose the rank by kept energy or by share of the full rank."""
        if self.keep == "ratio":
            return max(1, math.ceil(strength * spectrum.numel()))
        energy = spectrum.square().cumsum(0)
        return int((energy < strength * energy[-1]).sum().clamp(max=spectrum.numel() - 1)) + 1

    def factors(self, layer: Layer, rank: int) -> nn.Sequential:
        """Return the thin first layer, without bias, and the second with the layer's bias."""
        u, s, vh = torch.linalg.svd(self.matrix(layer).double(), full_matrices=False)
        root = s[:rank].sqrt()
        left, right = u[:, :rank] * root, root[:, None] * vh[:rank]
        if isinstance(layer, nn.Linear):
            first: nn.Module = nn.Linear(layer.in_features, rank, bias=False)
            second: nn.Module = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
            weights = right, left
        else:
            n, c, d, e = layer.weight.shape
            (sy, sx), (dy, dx), mode = layer.stride, layer.dilation, layer.padding_mode
            down, across = _paddings(layer)
            first = nn.Conv2d(c, rank, (d, 1), (sy, 1), down, (dy, 1), bias=False, padding_mode=mode)
            second = nn.Conv2d(
                rank, n, (1, e), (1, sx), across, (1, dx), bias=layer.bias is not None, padding_mode=mode
            )
            weights = (
                left.reshape(c, d, rank).permute(2, 0, 1)[..., None],
                right.reshape(rank, e, n).permute(2, 0, 1)[:, :, None],
            )
        pair = nn.Sequential(first, second).to(layer.weight)
        with torch.no_grad():
            for part, weight in zip(pair, weights, strict=True):
                part.get_parameter("weight").copy_(weight)
            if layer.bias is not None:
                second.get_parameter("bias").copy_(layer.bias)
        return pair

    def product(self, pair: nn.Sequential, layer: Layer) -> Tensor:
        """Return the product of both weights, rounded once."""
        first, second = (part.get_parameter("weight").detach().double() for part in pair)
        if isinstance(layer, nn.Linear):
            return second @ first
        return torch.einsum("nre,rcd->ncde", second[:, :, 0], first[:, :, :, 0])


def _paddings(layer: nn.Conv2d) -> tuple[str | tuple[int, int], str | tuple[int, int]]:
    """Return the padding of each half along its own axis; "same" and "valid" apply to both."""
    if isinstance(layer.padding, str):
        return layer.padding, layer.padding
    y, x = layer.padding
    return (int(y), 0), (0, int(x))
