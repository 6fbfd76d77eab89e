"""Pruning: remove weights or channels, along a schedule or in rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.errors import RecipeError, check_kind, check_known, check_share
from compress.pruning import Adaptive, DuringTraining, L1Filter, OneShot, Pruner, Schedule
from compress.pruning.channels import cut_channels, cut_round
from compress.pruning.during_training import Goal
from compress.pruning.macs import MEASURES, count_macs
from compress.pruning.masks import mask_weights, masked_parameters
from compress.pruning.pruner import Rounds
from compress.stages.cut import Cut
from compress.stages.lesson import Recovery
from compress.stages.words import cut, method_and_settings, recovered
from compress.training.loop import Hook, KeepZeros

if TYPE_CHECKING:
    from compress.models import Model


@dataclass(frozen=True)
class Prune(Cut):
    """Remove `sparsity` in (0, 1) of the prunable weights along a schedule, recovering at every level.

    An adaptive method finds its sparsity itself, in rounds, and takes neither sparsity nor schedule. With `measure`
    "flops" a method for channels removes the share `sparsity` of the network's FLOPs for one image instead, and the
    share of the weights is a result.
    """

    name: ClassVar[str] = "prune"
    code: ClassVar[int] = 3
    own_code: ClassVar[int] = 1
    added: ClassVar[tuple[str, ...]] = ("measure",)

    method: Pruner
    sparsity: float | None = None
    schedule: Schedule | None = None
    recovery: Recovery = field(default_factory=Recovery)
    measure: str = "weights"

    def __post_init__(self) -> None:
        check_kind("prune: method", self.method, (Pruner,))
        check_kind("prune: recovery", self.recovery, (Recovery,))
        if not self.method.adaptive:
            check_kind("prune: schedule", self.schedule, (Schedule,))
            check_share("prune: sparsity", self.sparsity, low=1e-6)
        elif self.sparsity is not None or self.schedule is not None:
            raise RecipeError(
                f"prune: {self.method.name} finds its sparsity by itself, so sparsity and schedule must be None, "
                f"got {self.sparsity!r} and {self.schedule!r}"
            )
        check_known("prune: measure", self.measure, MEASURES)
        if self.measure != "weights" and (self.method.adaptive or self.masked):
            why = "finds its sparsity by itself" if self.method.adaptive else "leaves zeros, which save no FLOPs"
            raise RecipeError(f"prune: {self.method.name} {why}, so measure must be weights, got {self.measure}")
        distiller = self.recovery.distiller
        if distiller is not None and distiller.ships_adapter and self.sequential:
            how = self.schedule.name if self.schedule else f"the rounds of {self.method.name}"
            raise RecipeError(
                f"recovery: {distiller.name} ships layers, so every level must start from the full network; "
                f"use the schedule one-shot, got {how}"
            )
        if self.changes_in_training and distiller is not None and distiller.ships_adapter:
            raise RecipeError(
                f"prune: {self.method.name} cuts when training is over, so recovery must ship no layers, "
                f"got {distiller.name}"
            )
        if self.changes_in_training and self.recovery.scope != "all":
            raise RecipeError(
                f"prune: {self.method.name} works while all weights train, so recovery scope must be all, "
                f"got {self.recovery.scope}"
            )

        if self.method.needs_sgd and self.recovery.training.optimizer != "sgd":
            raise RecipeError(
                f"prune: {self.method.name} works by the size of gradients, so the recovery's optimizer must be sgd, "
                f"got {self.recovery.training.optimizer}"
            )

    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return method, share or round, schedule and recovery."""
        if self.sparsity is None:
            done = f"pruned with {method_and_settings(self.method)}" + ("" if level is None else f", round {level:g}")
        else:
            share = self.sparsity if level is None else level
            unit = "weights" if self.measure == "weights" else "FLOPs"
            done = cut("pruned", self.method, self.schedule, self.levels, share, level, unit)
        return f"{done}; {recovered(self.recovery, teacher)}"

    def made_from(self) -> dict[str, object]:
        """Return method, recovery and the measure unless the measure is the weights."""
        return super().made_from() | ({} if self.measure == "weights" else {"measure": self.measure})

    def amount(self, model: nn.Module, image: Tensor) -> int:
        """Count the weights, or the MACs for the image."""
        return count_macs(model, image) if self.measure == "flops" else super().amount(model, image)

    def change(self, model: nn.Module, level: float, *, full: int, calibration: Batch) -> nn.Module:
        """Cut channels, or set weights to zero."""
        if isinstance(self.method, DuringTraining):
            goal = Goal(level, full, calibration, self.recovery.training.epochs, measure=self.measure)
            self.method.begin(model, goal).finish()
            return model
        if isinstance(self.method, Rounds):
            return cut_round(model, self.method, calibration)
        if self.masked:
            return mask_weights(model, self.method, level, calibration)
        at_most = int(full * (1 - level) + 1e-9)
        return cut_channels(model, self.method, at_most, calibration, self.measure)

    def hook(self, model: nn.Module, calibration: Callable[[], Batch], goal: Callable[[], Goal]) -> Hook | None:
        """Return the hook of a method that prunes during training, or the hook for keeping zeros at zero."""
        if isinstance(self.method, DuringTraining):
            return self.method.begin(model, replace(goal(), measure=self.measure))
        return KeepZeros(masked_parameters(model, self.method, calibration())) if self.masked else None

    def validations(self, widths: Callable[[], Sequence[int]]) -> int:
        """Return the looks of the method in a recovery."""
        return self.method.validations(widths, self.recovery.training.epochs)

    @property
    def levels(self) -> tuple[float, ...]:
        """Return the schedule's sparsities; for an adaptive method the numbers of its rounds, from 1."""
        if isinstance(self.method, Adaptive):
            return tuple(float(done) for done in range(1, self.method.rounds + 1))
        assert self.schedule is not None
        assert self.sparsity is not None
        return self.schedule.levels(self.sparsity)

    @property
    def sequential(self) -> bool:
        """Return whether each level starts from the level before, not from the full network."""
        return self.schedule is None or self.schedule.sequential

    @property
    def open_ended(self) -> bool:
        """Return whether the method decides the sparsity, or levels are shares of FLOPs."""
        return self.method.adaptive or self.measure == "flops"

    @property
    def tolerance(self) -> float | None:
        """Return the tolerance of an adaptive method."""
        return self.method.tolerance if isinstance(self.method, Adaptive) else None

    @property
    def masked(self) -> bool:
        """Return whether single weights become zeros."""
        return self.method.granularity == "weight"

    @property
    def changes_in_training(self) -> bool:
        """Return whether the method prunes during training."""
        return isinstance(self.method, DuringTraining)

    def only_deepest(self) -> Prune:
        """Return the stage with the deepest level alone, or with a single round."""
        if not self.method.adaptive:
            return replace(self, schedule=OneShot())
        method: Any = self.method
        return replace(self, method=replace(method, rounds=1))

    def at_most(self) -> Prune:
        """Return the stage with one channel left wherever an adaptive method may cut."""
        if not self.method.adaptive:
            return self
        return replace(self, method=_OneLeft(spare_shortcuts=self.method.spare_shortcuts))


@dataclass(frozen=True)
class _OneLeft(Rounds, L1Filter):
    """Leaves one channel wherever an adaptive method may cut."""

    rounds: int = 1
    tolerance: float = 0.0

    def removed(self, scores: Tensor) -> Tensor:
        """Return True for every channel."""
        return torch.ones_like(scores, dtype=torch.bool)
