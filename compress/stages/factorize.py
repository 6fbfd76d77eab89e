"""Low rank: layers become pairs of smaller layers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from compress.data.splits import Batch
from compress.errors import RecipeError, check_kind, check_share
from compress.lowrank import Factorizer, factorize
from compress.pruning import OneShot, Schedule
from compress.stages.cut import Cut
from compress.stages.lesson import Recovery
from compress.stages.words import cut, method_and_settings, recovered

if TYPE_CHECKING:
    from compress.models import Model


@dataclass(frozen=True)
class Factorize(Cut):
    """Replace layers by low-rank pairs until `sparsity` in (0, 1) of their weights are gone, at `schedule`'s levels.

    Every level is factorized from the full network, whatever the schedule's own order. A method that names its ranks
    takes neither sparsity nor schedule.
    """

    name: ClassVar[str] = "factorize"
    code: ClassVar[int] = 2

    method: Factorizer
    sparsity: float | None = None
    schedule: Schedule | None = None
    recovery: Recovery = field(default_factory=Recovery)

    def __post_init__(self) -> None:
        check_kind("factorize: method", self.method, (Factorizer,))
        check_kind("factorize: recovery", self.recovery, (Recovery,))
        if self.method.ranks is None:
            check_kind("factorize: schedule", self.schedule, (Schedule,))
            check_share("factorize: sparsity", self.sparsity, low=1e-6)
        elif self.sparsity is not None or self.schedule is not None:
            raise RecipeError(
                f"factorize: {self.method.name} names its ranks, so sparsity and schedule must be None, "
                f"got {self.sparsity!r} and {self.schedule!r}"
            )

    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return method, share, schedule and recovery."""
        if self.sparsity is None:
            done = f"factorized with {method_and_settings(self.method)}"
        else:
            share = self.sparsity if level is None else level
            done = cut("factorized", self.method, self.schedule, self.levels, share, level)
        return f"{done}; {recovered(self.recovery, teacher)}"

    def change(self, model: nn.Module, level: float, *, full: int, calibration: Batch) -> nn.Module:
        """Replace layers by pairs of layers."""
        return factorize(model, self.method, None if self.sparsity is None else level, calibration.images)

    @property
    def levels(self) -> tuple[float, ...]:
        """Return the schedule's sparsities; (0.0,) for named ranks."""
        if self.sparsity is None or self.schedule is None:
            return (0.0,)
        return self.schedule.levels(self.sparsity)

    @property
    def open_ended(self) -> bool:
        """Return whether named ranks decide the sparsity."""
        return self.sparsity is None

    def only_deepest(self) -> Factorize:
        """Return the stage with the deepest level alone."""
        return self if self.schedule is None else replace(self, schedule=OneShot())
