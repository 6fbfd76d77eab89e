"""Memory banks of a contrastive loss over all training images, and the draw of negative images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def most_negatives(groups: Tensor) -> int:
    """Return the number of images outside the largest of `groups` `(N,)`."""
    return len(groups) - int(groups.bincount().max())


class Draws(nn.Module):
    """Draws random images from other groups than an image's own; `groups` `(N,)` are whole numbers from 0."""

    order: Tensor
    first: Tensor
    size: Tensor

    def __init__(self, groups: Tensor) -> None:
        super().__init__()
        sizes = groups.bincount()
        first = sizes.cumsum(0) - sizes
        places = {"order": groups.argsort(stable=True), "first": first[groups], "size": sizes[groups]}
        for name, place in places.items():
            self.register_buffer(name, place, persistent=False)
        self.generator = torch.Generator(groups.device).manual_seed(int(torch.randint(2**62, ())))

    def forward(self, index: Tensor, count: int) -> Tensor:
        """Draw positions `(B, count)`: images lie sorted by group, so a draw skips the image's own group."""
        shares = torch.rand(len(index), count, dtype=torch.float64, device=index.device, generator=self.generator)
        size, first = self.size[index, None], self.first[index, None]
        places = (shares * (len(self.order) - size)).long()
        return self.order[places + size * (places >= first)]

    def get_extra_state(self) -> Tensor:
        """Return the random state, for `state_dict`."""
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Restore a saved random state; ignore a state from another kind of device, of another size."""
        if len(state) == len(self.generator.get_state()):
            self.generator.set_state(state.cpu())


class Banks(nn.Module):
    """The embeddings of student and teacher, and a bank `(N, dim)` of each with the last vectors of every image.

    New vectors are written when the banks are next read: the gradient of a step needs the banks from before the step,
    and a copy of both banks a step would take longer than the rest.
    """

    normalisers: Tensor
    _pending: tuple[Tensor, tuple[Tensor, ...], float] | None = None

    def __init__(self, widths: tuple[int, int], dim: int, count: int, draws: Draws) -> None:
        super().__init__()
        self.count, self.draws = count, draws
        self.layers = nn.ModuleList(nn.Linear(width, dim) for width in widths)
        for side in (0, 1):
            bank = functional.normalize(torch.randn(len(draws.order), dim), dim=1)
            self.register_buffer(f"bank{side}", bank)
        self.register_buffer("normalisers", torch.full((2,), math.nan))
        self.register_state_dict_pre_hook(lambda banks, *_: banks.write())  # type: ignore[no-untyped-call]

    def of(self, side: int) -> Tensor:
        """Return a side's bank, `(N, dim)`; call only after the backward pass of the step before."""
        self.write()
        return self.get_buffer(f"bank{side}")

    def embed(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return each side's vectors `(B, dim)`, of length 1."""
        return tuple(functional.normalize(layer(e), dim=1) for layer, e in zip(self.layers, features, strict=True))

    @torch.no_grad()
    def log_normaliser(self, side: int, scores: Tensor) -> Tensor:
        """Return `log Z` of a side, fixed by the side's first scores."""
        now = scores.logsumexp((0, 1)) - math.log(scores.numel()) + math.log(len(self.of(side)))
        known = torch.where(self.normalisers[side].isnan(), now, self.normalisers[side])
        if self.training:
            self.normalisers[side] = known
        return known

    def remember(self, index: Tensor, vectors: tuple[Tensor, ...], momentum: float) -> None:
        """Keep new vectors of the images at `index`, for `write` to move the entries after the backward pass."""
        self._pending = index, tuple(vector.detach() for vector in vectors), momentum

    @torch.no_grad()
    def write(self) -> None:
        """Move the entries of the kept vectors, in place."""
        if self._pending is None:
            return
        (index, vectors, momentum), self._pending = self._pending, None
        for side, new in enumerate(vectors):
            bank = self.get_buffer(f"bank{side}")
            bank.index_copy_(0, index, functional.normalize(momentum * bank[index] + (1 - momentum) * new, dim=1))
