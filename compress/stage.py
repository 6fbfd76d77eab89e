"""The stages a recipe is made of: frozen values whose fields are their settings.

What a stage does to a model stands in `compress.transform`; in which order stages may come, in `compress.recipe`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from compress.distill import Distiller
from compress.errors import RecipeError, check_kind, check_known, check_share, check_whole
from compress.lowrank import Factorizer
from compress.pruning import Adaptive, Inside, Pruner, Schedule
from compress.quantize import Quantizer
from compress.training import Training


@dataclass(frozen=True)
class Recovery:
    """How a network that lost weights gets its accuracy back.

    `scope` "all" trains every weight, "classifier" the last linear layer only; with a `distiller` the network learns
    from the unpruned original (`teacher` "original", Chen 2021) or from the recipe's teacher ("teacher"). A distiller
    that `ships_adapter` brings its own classifier, so `scope` must be "all", and no level of a schedule may start from
    the one before.
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
        if self.distiller is not None and self.distiller.ships_adapter and self.scope != "all":
            raise RecipeError(
                f"recovery: {self.distiller.name} brings its own classifier, so scope must be all, got {self.scope}"
            )


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
    """Remove `sparsity` in (0, 1) of the prunable weights along a schedule, recovering at every level.

    An adaptive method finds its sparsity by itself, in rounds: it takes neither sparsity nor schedule.
    """

    name: ClassVar[str] = "prune"

    method: Pruner
    sparsity: float | None = None
    schedule: Schedule | None = None
    recovery: Recovery = field(default_factory=Recovery)

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
        taught = self.recovery.distiller
        if taught is not None and taught.ships_adapter and self.sequential:
            how = self.schedule.name if self.schedule else f"the rounds of {self.method.name}"
            raise RecipeError(
                f"recovery: {taught.name} ships layers, so every level must start from the full network; "
                f"use the schedule one-shot, got {how}"
            )
        if isinstance(self.method, Inside) and taught is not None and taught.ships_adapter:
            raise RecipeError(
                f"prune: {self.method.name} cuts when training is over, so recovery must ship no layers, "
                f"got {taught.name}"
            )
        if isinstance(self.method, Inside) and self.recovery.scope != "all":
            raise RecipeError(
                f"prune: {self.method.name} works while all weights train, so recovery scope must be all, "
                f"got {self.recovery.scope}"
            )

    @property
    def levels(self) -> tuple[float, ...]:
        """The schedule's sparsities; of an adaptive method the numbers of its rounds, from 1."""
        if isinstance(self.method, Adaptive):
            return tuple(float(done) for done in range(1, self.method.rounds + 1))
        assert self.schedule is not None
        assert self.sparsity is not None
        return self.schedule.levels(self.sparsity)

    @property
    def sequential(self) -> bool:
        """Whether each level starts from the one before, not from the full network."""
        return self.schedule is None or self.schedule.sequential


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

    @property
    def levels(self) -> tuple[float, ...]:
        """The schedule's sparsities."""
        return self.schedule.levels(self.sparsity)

    @property
    def sequential(self) -> bool:
        """False."""
        return False


@dataclass(frozen=True)
class Narrow:
    """A student of the network's own layers, with `width` in (0, 1) of the channels that its shortcuts fix.

    It is trained from scratch under the network as it was before. Aghli & Ribeiro 2021.
    """

    name: ClassVar[str] = "narrow"

    method: Distiller
    width: float = 0.5
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        check_kind("narrow: method", self.method, (Distiller,))
        check_kind("narrow: training", self.training, (Training,))
        check_share("narrow: width", self.width, low=1e-6)
        _check_taught("narrow", self.method, self.training)


@dataclass(frozen=True)
class Quantize:
    """Fewer bits a weight, for every point the recipe has made so far; the last stage."""

    name: ClassVar[str] = "quantize"

    method: Quantizer

    def __post_init__(self) -> None:
        check_kind("quantize: method", self.method, (Quantizer,))


Stage = Train | Distill | Prune | Narrow | Factorize | Quantize
STAGES: dict[str, type[Stage]] = {kind.name: kind for kind in (Train, Distill, Prune, Narrow, Factorize, Quantize)}


def distiller_of(stage: Stage) -> Distiller | None:
    """The distillation method the stage trains with, if any."""
    if isinstance(stage, Distill | Narrow):
        return stage.method
    return stage.recovery.distiller if isinstance(stage, Prune | Factorize) else None


def _check_taught(who: str, method: Distiller, training: Training) -> None:
    if training.label_smoothing:
        raise RecipeError(f"{who}: label_smoothing must be 0 under a distiller, got {training.label_smoothing:g}")
    if method.full_batches and training.batch_size < 2:
        raise RecipeError(f"{who}: {method.name} needs a batch_size of at least 2, got {training.batch_size}")
