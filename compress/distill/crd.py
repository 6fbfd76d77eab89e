"""Contrastive representation distillation. Tian et al. 2020, https://arxiv.org/abs/1910.10699."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.distill.banks import Banks, Draws, most_negatives
from compress.distill.distiller import Outputs
from compress.distill.weighted import Weighted
from compress.errors import RecipeError, check_above_zero, check_share, check_whole

PUBLISHED_NEGATIVES = 16384


@dataclass(frozen=True)
class CRD(Weighted):
    """Contrasts the student's embedding of an image with the teacher's embeddings of other images, and vice versa.

    Both `e` `(B, D)` go through a linear layer to `dim`, and get unit length: `v`. Each side keeps a bank `(N, dim)`
    with the last vector of every image, `m <- normalize(momentum m + (1 - momentum) v)`. With `p(v, m) = exp(v . m /
    tau) / Z` and noise `1 / N`, an image's error is `-log(p / (p + K / N))` of its own entry in the *other* bank, plus
    `-log((K / N) / (p + K / N))` summed over K entries of other images; both directions added, mean over the batch. Z
    is fixed at its first value, N times the mean of `exp(v . m / tau)` over its batch.

    The K `negatives` are drawn anew at every step, with replacement, from the images of other classes, or with
    `same_class` from all images but the own. K is at most N - 1; None is 16384, or all images if fewer.

    Cost: the batch is compared with all N images whatever the networks, and under a small teacher on small images the
    comparison takes longer than the teacher's forward pass. To gather the published K entries of every image would move
    more memory.
    """

    name: ClassVar[str] = "crd"
    source: ClassVar[str] = "https://arxiv.org/abs/1910.10699"
    reads_features: ClassVar[bool] = True

    beta: float = 0.8
    negatives: int | None = None
    same_class: bool = False
    dim: int = 128
    tau: float = 0.07
    momentum: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(f"{self.name}: dim", self.dim, 1)
        check_above_zero(f"{self.name}: tau", self.tau)
        check_share(f"{self.name}: momentum", self.momentum)
        if self.negatives is not None:
            check_whole(f"{self.name}: negatives", self.negatives, 1)

    def check_targets(self, targets: Tensor) -> None:
        """Raise RecipeError for fewer than K images to draw from."""
        self._count(self._groups(targets))

    def adapters(self, student: Outputs, teacher: Outputs, targets: Tensor) -> nn.Module:
        """Return embeddings and banks. RecipeError for fewer than K images to draw from."""
        assert student.features is not None
        assert teacher.features is not None
        groups = self._groups(targets)
        widths = student.features.shape[1], teacher.features.shape[1]
        return Banks(widths, self.dim, self._count(groups), Draws(groups))

    def _groups(self, targets: Tensor) -> Tensor:
        """Return the group of each image, shared with no negative: the class, or without a class the position."""
        is_class = targets.dim() == 1 and not targets.is_floating_point()
        return targets if is_class and not self.same_class else torch.arange(len(targets), device=targets.device)

    def _count(self, groups: Tensor) -> int:
        left = most_negatives(groups)
        count = min(PUBLISHED_NEGATIVES, left) if self.negatives is None else self.negatives
        if not 1 <= count <= left:
            others = "other images" if self.same_class else "images of other classes"
            raise RecipeError(
                f"crd: negatives must be at most {left}, so that each of the {len(groups)} training images has enough "
                f"{others}, got {count}"
            )
        return count

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return both directions' sum, mean over the batch."""
        assert isinstance(adapters, Banks)
        assert student.features is not None
        assert teacher.features is not None
        vectors = adapters.embed(student.features, teacher.features)
        chosen = torch.cat([student.index[:, None], adapters.draws(student.index, adapters.count)], dim=1)
        both = [self._contrast(adapters, side, vectors[side], chosen) for side in (0, 1)]
        if adapters.training:
            adapters.remember(student.index, vectors, self.momentum)
        return both[0] + both[1]

    def _contrast(self, banks: Banks, side: int, vectors: Tensor, chosen: Tensor) -> Tensor:
        scores = _scores_of(vectors @ banks.of(1 - side).T, chosen) / self.tau  # (B, 1 + K)
        chance = math.log(banks.count / len(banks.of(0)))
        odds = scores - banks.log_normaliser(side, scores) - chance
        right = functional.logsigmoid(odds[:, 0]) + functional.logsigmoid(-odds[:, 1:]).sum(1)
        return -right.mean()


def _scores_of(scores: Tensor, chosen: Tensor) -> Tensor:
    """Return the `scores` `(B, N)` of each row's images `chosen` `(B, K)`, with a bitwise deterministic gradient.

    An image may be chosen twice. On a GPU the gradient of `gather` adds in the order of the threads, the gradient of an
    index in a fixed order; on a CPU the reverse holds.
    """
    if scores.device.type == "cpu":
        return scores.gather(1, chosen)
    return scores[torch.arange(len(scores), device=scores.device)[:, None], chosen]
