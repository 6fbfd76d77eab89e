"""Low rank: layers become pairs of smaller layers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from compress.data.splits import Batch
from compress.errors import check_kind, check_share
from compress.lowrank import Factorizer, factorize
from compress.pruning import OneShot, Schedule
from compress.stages.cut import Cut
from compress.stages.lesson import Recovery
from compress.stages.words import cut, recovered

if TYPE_CHECKING:
    from compress.models import Model


@dataclass(frozen=True)
class Factorize(Cut):
    """Replace layers by low-rank pairs until `sparsity` in (0, 1) of their weights are gone, at `schedule`'s levels.

    Every level is factorized from the full network, whatever the schedule's own order.
    """

    name: ClassVar[str] = "factorize"
    code: ClassVar[int] = 2

    method: Factorizer
    sparsity: float
    schedule: Schedule
    recovery: Recovery = field(default_factory=Recovery)

    def __post_init__(self) -> None:
        check_kind("factorize: method", self.method, (Factorizer,))
        check_kind("factorize: schedule", self.schedule, (Schedule,))
        check_kind("factorize: recovery", self.recovery, (Recovery,))
        check_share("factorize: sparsity", self.sparsity, low=1e-6)

    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return method, share, schedule and recovery."""
        share = self.sparsity if level is None else level
        done = cut("factorized", self.method, self.schedule, self.levels, share, level)
        return f"{done}; {recovered(self.recovery, teacher)}"

    def change(self, model: nn.Module, level: float, *, full: int, calibration: Batch) -> nn.Module:
        """Replace layers by pairs of layers."""
        return factorize(model, self.method, level, calibration.images)

    @property
    def levels(self) -> tuple[float, ...]:
        """Return the schedule's sparsities."""
        return self.schedule.levels(self.sparsity)

    def only_deepest(self) -> Factorize:
        """Return the stage with the deepest level alone."""
        return replace(self, schedule=OneShot())
