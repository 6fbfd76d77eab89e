"""What a contrastive loss remembers of every training image, and how it draws images to tell apart from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def room(groups: Tensor) -> int:
    """How many images the largest of `groups` `(N,)` leaves to draw from."""
    return len(groups) - int(groups.bincount().max())


class Draws(nn.Module):
    """Random images of other groups than an image's own, `groups` `(N,)` of whole numbers from 0.

    The random state is saved with the adapters.
    """

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
        """Positions `(B, count)`: grouped images lie side by side, so a draw jumps over the image's own group."""
        shares = torch.rand(len(index), count, dtype=torch.float64, device=index.device, generator=self.generator)
        size, first = self.size[index, None], self.first[index, None]
        places = (shares * (len(self.order) - size)).long()
        return self.order[places + size * (places >= first)]

    def get_extra_state(self) -> Tensor:
        """The random state, for `state_dict`."""
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from a saved random state; from that of another kind of device, whose size differs, with a new one."""
        if len(state) == len(self.generator.get_state()):
            self.generator.set_state(state.cpu())


class Banks(nn.Module):
    """Two embeddings, the student's and the teacher's, and what they last were for every image, `(N, dim)` each.

    What is to be remembered is written when the banks are looked at next: the gradient of a step needs them as they
    were before it, and a copy of both banks a step would take longer than the rest.
    """

    normalisers: Tensor
    _said: tuple[Tensor, tuple[Tensor, ...], float] | None = None

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
        """A side's bank, `(N, dim)`; to be looked at after the gradients of the step before are there."""
        self.write()
        return self.get_buffer(f"bank{side}")

    def embed(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Each side's vectors `(B, dim)`, of length 1."""
        return tuple(functional.normalize(layer(e), dim=1) for layer, e in zip(self.layers, features, strict=True))

    @torch.no_grad()
    def log_normaliser(self, side: int, scores: Tensor) -> Tensor:
        """`log Z` of a side: set by the first scores it sees."""
        now = scores.logsumexp((0, 1)) - math.log(scores.numel()) + math.log(len(self.of(side)))
        known = torch.where(self.normalisers[side].isnan(), now, self.normalisers[side])
        if self.training:
            self.normalisers[side] = known
        return known

    def remember(self, index: Tensor, vectors: tuple[Tensor, ...], momentum: float) -> None:
        """Move the entries of these images, once the gradients of this step are there."""
        self._said = index, tuple(said.detach() for said in vectors), momentum

    @torch.no_grad()
    def write(self) -> None:
        """Move what is to be moved, in place."""
        if self._said is None:
            return
        (index, vectors, momentum), self._said = self._said, None
        for side, said in enumerate(vectors):
            bank = self.get_buffer(f"bank{side}")
            bank.index_copy_(0, index, functional.normalize(momentum * bank[index] + (1 - momentum) * said, dim=1))
