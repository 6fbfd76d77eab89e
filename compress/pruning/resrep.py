"""ResRep: a square matrix behind each layer learns which channels can go, while the layer keeps learning the task.

Ding et al. 2021, https://arxiv.org/abs/2007.03260; code of the authors: https://github.com/DingXiaoH/ResRep.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.errors import check_above_zero, check_at_least, check_kind, check_share, check_whole
from compress.pruning.during_training import DuringTraining, Goal, Pruning
from compress.pruning.folding import Compactor, fold
from compress.pruning.pruner import weighted_layers
from compress.pruning.targets import Targets
from compress.training.series import share


@dataclass(frozen=True)
class ResRep(DuringTraining):
    """Gives each target a compactor, a 1x1 convolution that starts as the identity, and prunes the compactor's rows.

    The gradient of row `r` is `mask * task gradient + lasso * r / norm(r)`, with mask 0 or 1. After `start` epochs, or
    half the training if sooner, every `every` steps, the `more` rows of smallest norm in the network are masked, until
    the unmasked rows meet the goal; a row of each target always stays. Compactors have momentum `momentum` and no
    weight decay. In the end masked rows are removed, and layer, BN and compactor become a single layer.

    The goal is a share of weights, or under a stage with `measure` "flops" a share of FLOPs as in the paper. Without
    `reset` no row is masked in training and the task's gradient stays whole: the penalty alone shrinks the rows, the
    paper's baseline. The rows of smallest norm go in the end. The defaults suit trainings of 10,000 steps and more:
    a row shrinks by up to `lr * lasso / (1 - momentum)` a step. A masked row is held at zero once its norm falls under
    `threshold` or an update would carry the row through zero. The paper lets the row swing around zero until the
    learning rate has fallen, and cuts it then. Masked rows stay masked. Nesterov is off, as in the authors' code.
    """

    name: ClassVar[str] = "resrep"
    source: ClassVar[str] = "https://arxiv.org/abs/2007.03260"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"
    predictable: ClassVar[bool] = False
    needs_sgd: ClassVar[bool] = True
    added: ClassVar[tuple[str, ...]] = ("reset",)

    start: int = 5
    every: int = 200
    more: int = 4
    lasso: float = 1e-4
    threshold: float = 1e-5
    momentum: float = 0.99
    reset: bool = True

    def __post_init__(self) -> None:
        check_whole(f"{self.name}: start", self.start, 0)
        check_whole(f"{self.name}: every", self.every, 1)
        check_whole(f"{self.name}: more", self.more, 1)
        check_above_zero(f"{self.name}: lasso", self.lasso)
        check_at_least(f"{self.name}: threshold", self.threshold, 0)
        check_share(f"{self.name}: momentum", self.momentum)
        check_kind(f"{self.name}: reset", self.reset, (bool,))

    @property
    def spare_shortcuts(self) -> bool:
        """Return True: the ends of a shortcut have no common layer for a compactor to follow."""
        return True

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return L2 norms of filters, `(out_channels,)`, to rank rows of equal norm, such as before training."""
        return {name: layer.weight.detach().flatten(1).norm(dim=1) for name, layer in weighted_layers(model).items()}

    def begin(self, model: nn.Module, goal: Goal) -> Pruning:
        """Return the hook with compactors on `model`. RecipeError when even one channel everywhere is too much."""
        return Compacting(self, model, goal)


class Compacting(Pruning):
    """The compactors of a training, each with a mask `(channels,)`: True where the task's gradient is off."""

    def __init__(self, method: ResRep, model: nn.Module, goal: Goal) -> None:
        self.method, self.model, self.goal = method, model, goal
        self.targets = Targets(model, goal.calibration, goal.at_most, goal.measure)
        scores = method.scores(model, goal.calibration)
        self.scores = [scores[target.name] for target in self.targets.each]
        self.compactors = [Compactor(target) for target in self.targets.each]
        self.masked = [torch.zeros(len(c.rows), dtype=torch.bool, device=c.rows.device) for c in self.compactors]
        self.before: list[Tensor] = []

    def groups(self) -> list[dict[str, Any]]:
        """Return the compactors' parameters, with their own settings."""
        rows = [compactor.rows for compactor in self.compactors]
        return [{"params": rows, "momentum": self.method.momentum, "weight_decay": 0.0, "nesterov": False}]

    def before_update(self, step: int, steps: int) -> None:
        """Mask more rows at every `every`th step; mask and penalise the compactors' gradients."""
        since = step - min(steps * self.method.start // self.goal.epochs, steps // 2)
        if self.method.reset and since > 0 and since % self.method.every == 0:
            self._mask(self.method.more)
        self.before = [compactor.rows.detach().clone() for compactor in self.compactors]
        for compactor, masked in zip(self.compactors, self.masked, strict=True):
            rows, gradient = compactor.rows, compactor.rows.grad
            assert gradient is not None
            norms = rows.detach().norm(dim=1, keepdim=True).clamp(min=1e-30)
            gradient.masked_fill_(masked[:, None], 0.0).add_(rows.detach() / norms, alpha=self.method.lasso)

    def after_update(self, step: int, steps: int) -> None:
        """Keep masked rows at zero once zero is reached."""
        with torch.no_grad():
            for compactor, masked, before in zip(self.compactors, self.masked, self.before, strict=True):
                rows = compactor.rows
                through = (rows * before).sum(1) <= 0
                small = rows.norm(dim=1) < self.method.threshold
                rows.masked_fill_((masked & (through | small))[:, None], 0.0)

    def figures(self) -> dict[str, Tensor | float]:
        """Return the share of masked rows."""
        return {"masked": share(self.masked)}

    def state_dict(self) -> dict[str, Any]:
        """Return compactors and masks."""
        return {"rows": [c.rows.detach() for c in self.compactors], "masked": self.masked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore compactors and masks."""
        with torch.no_grad():
            for compactor, rows, masked, known in zip(
                self.compactors, state["rows"], self.masked, state["masked"], strict=True
            ):
                compactor.rows.copy_(rows)
                masked.copy_(known)

    def finish(self) -> None:
        """Mask the rows still missing to the goal, fold the compactors, and cut."""
        self._mask(None)
        with torch.no_grad():
            for compactor, masked in zip(self.compactors, self.masked, strict=True):
                compactor.rows.masked_fill_(masked[:, None], 0.0)
        fold(self.model, self.compactors, self.goal.calibration)
        self.targets.cut(self.masked)

    def _mask(self, more: int | None) -> None:
        """Mask the `more` smallest rows; with None, or if fewer are enough, as many as the goal needs."""
        candidates: list[tuple[float, float, int, int]] = []
        for number, (compactor, masked) in enumerate(zip(self.compactors, self.masked, strict=True)):
            norms, scores = compactor.rows.detach().norm(dim=1).tolist(), self.scores[number].tolist()
            left = [row for row, gone in enumerate(masked.tolist()) if not gone]
            left.sort(key=lambda row: (norms[row], scores[row]))
            # Rows of equal norm are ordered by the share their target has lost; a target's largest row always stays.
            shares = [1 - (len(left) - place) / len(norms) for place in range(len(left))]
            candidates += [(norms[row], share, number, row) for row, share in zip(left[:-1], shares[:-1], strict=True)]
        candidates.sort()
        most = len(candidates) if more is None else min(more, len(candidates))

        def masks(count: int) -> list[Tensor]:
            grown = [masked.clone() for masked in self.masked]
            for _, _, number, row in candidates[:count]:
                grown[number][row] = True
            return grown

        enough = bisect_left(range(most), True, key=lambda n: self.targets.amount(masks(n)) <= self.goal.at_most)
        self.masked = masks(enough)
