"""Gradual: increase the share of zero weights along a cubic during training.

Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878; SlimNets, equation 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.errors import RecipeError, check_above_zero, check_whole
from compress.pruning.during_training import DuringTraining, Goal, Pruning
from compress.pruning.masks import mask_weights, masked_parameters
from compress.pruning.pruner import weighted_layers
from compress.pruning.schedule import Cubic
from compress.training.series import share


@dataclass(frozen=True)
class Gradual(DuringTraining):
    """After `t` steps the weights of smallest `abs(w)` are zero: a share `s_t = s_f + (s_i - s_f) (1 - t / T)^3`.

    `s_i` is the share of zeros at the start of the training, `s_f` the goal. Masks are computed again every `every`
    steps, until step `T`, the last multiple of `every` within the first `share` in (0, 1] of the steps. From then on
    the masks are held. The paper finds no difference between 100 and 1000 steps, at most 1 % of its trainings; the
    default of `every` is about 1 % of a recovery. A masked weight gets no update, as in the paper, so its zero is
    final.
    """

    name: ClassVar[str] = "gradual"
    source: ClassVar[str] = "https://arxiv.org/abs/1710.01878"
    granularity: ClassVar[Literal["channel", "weight"]] = "weight"

    every: int = 5
    share: float = 0.5

    def __post_init__(self) -> None:
        check_whole(f"{self.name}: every", self.every, 1)
        check_above_zero(f"{self.name}: share", self.share)
        if self.share > 1:
            raise RecipeError(f"{self.name}: share must be at most 1, got {self.share:g}")

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return magnitudes, in the shape of each weight."""
        return {name: layer.weight.detach().abs() for name, layer in weighted_layers(model).items()}

    def begin(self, model: nn.Module, goal: Goal) -> Pruning:
        """Return the hook that grows masks up to the goal."""
        return _Growing(self, model, goal)


class _Growing(Pruning):
    """Grows the masks; the zeros are the mask, so the hook has no state."""

    def __init__(self, method: Gradual, model: nn.Module, goal: Goal) -> None:
        self.method, self.model, self.goal = method, model, goal
        self.weights = masked_parameters(model, method, goal.calibration)
        self.start = sum(int((w == 0).sum()) for w in self.weights) / sum(w.numel() for w in self.weights)
        self.zeros: Sequence[Tensor] = ()

    def before_update(self, step: int, steps: int) -> None:
        """Record the masked weights."""
        self.zeros = [weight.detach() == 0 for weight in self.weights]

    def after_update(self, step: int, steps: int) -> None:
        """Mask the recorded weights again, and mask more at every `every`th step."""
        with torch.no_grad():
            for weight, zero in zip(self.weights, self.zeros, strict=True):
                weight.masked_fill_(zero, 0.0)  # a product would leave -0.0, which does not deflate
        done, last = step + 1, int(self.method.share * steps + 1e-9) // self.method.every * self.method.every
        if done <= last and done % self.method.every == 0:
            grown = Cubic().level(self.goal.level - self.start, done / last)
            mask_weights(self.model, self.method, self.start + grown, self.goal.calibration)

    def figures(self) -> dict[str, Tensor | float]:
        """Return the share of zeros among the prunable weights."""
        return {"masked": share([weight == 0 for weight in self.weights])}

    def finish(self) -> None:
        """Mask exactly the goal's share."""
        mask_weights(self.model, self.method, self.goal.level, self.goal.calibration)
        self.model.eval()
