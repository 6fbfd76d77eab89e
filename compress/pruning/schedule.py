"""Schedules of sparsity up to a target: in even steps, by a constant factor of density, or along a cubic.

Every level of a schedule is recovered and measured, so a schedule of n levels gives a curve of n points.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from compress.errors import check_whole


@dataclass(frozen=True)
class Schedule(ABC):
    """A schedule of `steps` levels up to the target; with `sequential` each level starts from the level before."""

    name: ClassVar[str]
    source: ClassVar[str]
    sequential: ClassVar[bool]

    steps: int = 1

    def __post_init__(self) -> None:
        check_whole(f"{self.name}: steps", self.steps, 1)

    @abstractmethod
    def level(self, sparsity: float, share: float) -> float:
        """Return the sparsity once `share` in (0, 1] of the schedule is done; `sparsity` at share 1."""

    def levels(self, sparsity: float) -> tuple[float, ...]:
        """Return the `steps` sparsities, rising; the last is `sparsity`."""
        rising = [round(self.level(sparsity, k / self.steps), 6) for k in range(1, self.steps)]
        return (*rising, sparsity)


@dataclass(frozen=True)
class OneShot(Schedule):
    """Cuts each level directly from the unpruned model: `s_k = s_f k / n`. Malihi 2023 with n = 9 and s_f = .9."""

    name: ClassVar[str] = "one-shot"
    source: ClassVar[str] = "https://doi.org/10.3390/bdcc7030154"
    sequential: ClassVar[bool] = False

    def level(self, sparsity: float, share: float) -> float:
        """Return evenly spaced levels."""
        return sparsity * share


@dataclass(frozen=True)
class Exponential(Schedule):
    """Lowers density by a constant factor: `s_k = 1 - (1 - s_f)^(k/n)`. Chen 2021, equation 9."""

    name: ClassVar[str] = "exponential"
    source: ClassVar[str] = "https://doi.org/10.1007/s40747-020-00248-y"
    sequential: ClassVar[bool] = True

    def level(self, sparsity: float, share: float) -> float:
        """Return levels with equal cuts relative to the weights left."""
        return float(1 - (1 - sparsity) ** share)


@dataclass(frozen=True)
class Cubic(Schedule):
    """Cuts fast while many weights are left, slowly at the end: `s_k = s_f - s_f (1 - k/n)^3`. Zhu & Gupta 2017."""

    name: ClassVar[str] = "cubic"
    source: ClassVar[str] = "https://arxiv.org/abs/1710.01878"
    sequential: ClassVar[bool] = True

    def level(self, sparsity: float, share: float) -> float:
        """Return the cubic from 0 to `sparsity`."""
        return float(sparsity - sparsity * (1 - share) ** 3)


SCHEDULES: dict[str, type[Schedule]] = {method.name: method for method in (OneShot, Exponential, Cubic)}
