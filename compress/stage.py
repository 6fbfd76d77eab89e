"""The stages a recipe is made of: frozen values whose fields are their settings.

What a stage does to a model stands in `compress.transform`; in which order stages may come, in `compress.recipe`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from compress.distill import Distiller
from compress.errors import RecipeError, check_kind, check_known, check_share, check_whole
from compress.lowrank import Factorizer
from compress.pruning import Pruner, Schedule
from compress.quantize import Quantizer
from compress.training import Training


@dataclass(frozen=True)
class Recovery:
    """How a network that lost weights gets its accuracy back.

    `scope` "all" trains every weight, "classifier" the last linear layer only; with a `distiller` the network learns
    from the unpruned original (`teacher` "original", Chen 2021) or from the recipe's teacher ("teacher").
    """

    name: ClassVar[str] = "recovery"

    training: Training = field(default_factory=lambda: Training(epochs=5, lr=0.02))
    scope: str = "all"
    distiller: Distiller | None = None
    teacher: str = "original"

    def __post_init__(self) -> None:
        check_kind("recovery: training", self.training, (Training,))
        check_known("recovery: scope", self.scope, ("all", "classifier"))
        check_known("recovery: teacher", self.teacher, ("original", "teacher"))
        check_kind("recovery: distiller", self.distiller, (Distiller, type(None)))
        check_whole("recovery: training: epochs", self.training.epochs, 1)
        if self.distiller is not None:
            _check_taught("recovery", self.distiller, self.training)


@dataclass(frozen=True)
class Train:
    """Train the student on labels, from scratch or from its own weights; for 0 epochs it is taken as those have it."""

    name: ClassVar[str] = "train"

    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        check_kind("train: training", self.training, (Training,))


@dataclass(frozen=True)
class Distill:
    """Train the student, from scratch or from its own weights, under the recipe's teacher."""

    name: ClassVar[str] = "distill"

    method: Distiller
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        check_kind("distill: method", self.method, (Distiller,))
        check_kind("distill: training", self.training, (Training,))
        check_whole("distill: training: epochs", self.training.epochs, 1)
        _check_taught("distill", self.method, self.training)


@dataclass(frozen=True)
class Prune:
    """Remove `sparsity` in (0, 1) of the prunable weights along a schedule, recovering at every level."""

    name: ClassVar[str] = "prune"

    method: Pruner
    sparsity: float
    schedule: Schedule
    recovery: Recovery = field(default_factory=Recovery)

    def __post_init__(self) -> None:
        check_kind("prune: method", self.method, (Pruner,))
        check_kind("prune: schedule", self.schedule, (Schedule,))
        check_kind("prune: recovery", self.recovery, (Recovery,))
        check_share("prune: sparsity", self.sparsity, low=1e-6)


@dataclass(frozen=True)
class Factorize:
    """Replace layers by low-rank pairs until `sparsity` in (0, 1) of their weights are gone, at `schedule`'s levels.

    Every level is factorized from the full network, whatever the schedule's own order.
    """

    name: ClassVar[str] = "factorize"

    method: Factorizer
    sparsity: float
    schedule: Schedule
    recovery: Recovery = field(default_factory=Recovery)

    def __post_init__(self) -> None:
        check_kind("factorize: method", self.method, (Factorizer,))
        check_kind("factorize: schedule", self.schedule, (Schedule,))
        check_kind("factorize: recovery", self.recovery, (Recovery,))
        check_share("factorize: sparsity", self.sparsity, low=1e-6)


@dataclass(frozen=True)
class Quantize:
    """Fewer bits a weight, for every point the recipe has made so far; the last stage."""

    name: ClassVar[str] = "quantize"

    method: Quantizer

    def __post_init__(self) -> None:
        check_kind("quantize: method", self.method, (Quantizer,))


Stage = Train | Distill | Prune | Factorize | Quantize
STAGES: dict[str, type[Stage]] = {kind.name: kind for kind in (Train, Distill, Prune, Factorize, Quantize)}


def _check_taught(who: str, method: Distiller, training: Training) -> None:
    if training.label_smoothing:
        raise RecipeError(f"{who}: label_smoothing must be 0 under a distiller, got {training.label_smoothing:g}")
    if method.full_batches and training.batch_size < 2:
        raise RecipeError(f"{who}: {method.name} needs a batch_size of at least 2, got {training.batch_size}")
