"""Stages that take weights out of a network by a method, and let the network recover."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Self, cast

from compress.encoding import encode
from compress.stages.lesson import Lesson, Recovery
from compress.stages.stage import Stage
from compress.training.settings import Training


class Cut(Stage):
    """A stage with a `method`, a `sparsity`, a `recovery` and levels of sparsity; concrete kinds are dataclasses."""

    once: ClassVar[bool] = True
    cuts: ClassVar[bool] = True

    method: Any
    sparsity: float | None
    recovery: Recovery

    @property
    def lesson(self) -> Recovery:
        """Return the recovery."""
        return self.recovery

    def made_from(self) -> dict[str, object]:
        """Return method and recovery."""
        return {"method": encode(self.method), "recovery": encode(self.recovery)}

    def retrained(self, change: Callable[[Lesson], Training]) -> Self:
        """Return the stage with a changed training in its recovery."""
        return self._with(recovery=replace(self.recovery, training=change(self.recovery)))

    def structural(self) -> Self:
        """Return the stage with a recovery reduced to the settings that decide the structure.

        A distiller stays only if the method ships layers.
        """
        training = replace(self.recovery.training, lr=Training().lr)
        ships = self.recovery.distiller is not None and self.recovery.distiller.ships_adapter
        return self._with(recovery=replace(self.recovery, training=training) if ships else Recovery(training))

    def cut_to(self, sparsity: float) -> Self:
        """Return the stage with a cut as deep as `sparsity`; unchanged if the method decides the sparsity."""
        return self if self.sparsity is None else self._with(sparsity=sparsity)

    def _with(self, **settings: object) -> Self:
        return cast(Self, replace(cast(Any, self), **settings))
