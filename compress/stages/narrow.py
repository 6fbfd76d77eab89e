"""A narrower student of the network's own layers: Aghli & Ribeiro 2021."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from compress.data.splits import Batch
from compress.distill import Distiller
from compress.encoding import encode
from compress.errors import check_kind, check_share, check_whole
from compress.pruning.narrow import narrow
from compress.stages.lesson import Lesson, check_distillation
from compress.stages.stage import Stage
from compress.stages.words import epochs, method_and_settings
from compress.training.settings import Training

if TYPE_CHECKING:
    from compress.models import Model


@dataclass(frozen=True)
class Narrow(Stage):
    """Train a student of the network's own layers, with `width` in (0, 1) of the channels fixed by shortcuts.

    The student is trained from scratch under the network from before the stage, or without a `method` on targets alone:
    the baseline "student from scratch" of Aghli & Ribeiro.
    """

    name: ClassVar[str] = "narrow"
    code: ClassVar[int] = 1
    own_code: ClassVar[int] = 1
    once: ClassVar[bool] = True
    cuts: ClassVar[bool] = True

    method: Distiller | None = None
    width: float = 0.5
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        check_kind("narrow: method", self.method, (Distiller, type(None)))
        check_kind("narrow: training", self.training, (Training,))
        check_share("narrow: width", self.width, low=1e-6)
        if self.method is None:
            check_whole("narrow: training: epochs", self.training.epochs, 1)
        else:
            check_distillation("narrow", self.method, self.training)

    @property
    def lesson(self) -> Lesson:
        """Return the training, under the network before the stage if there is a method."""
        return Lesson(self.training, distiller=self.method)

    def retrained(self, change: Callable[[Lesson], Training]) -> Narrow:
        """Return the stage with a changed training."""
        return replace(self, training=change(self.lesson))

    def made_from(self) -> dict[str, object]:
        """Return method, width and training."""
        return {"method": encode(self.method), "width": self.width, "training": encode(self.training)}

    def sentence(self, level: float | None, teacher: Model | None) -> str:
        """Return the width, the method and the length of the training."""
        how = "trained on labels" if self.method is None else f"taught by it with {method_and_settings(self.method)}"
        return f"a student with {self.width:.0%} of its shortcuts' channels, {how}: {epochs(self.training)}"

    def change(self, model: nn.Module, level: float, *, full: int, calibration: Batch) -> nn.Module:
        """Cut the channels of all shortcuts to `width` and initialise all layers anew."""
        return narrow(model, self.width, calibration.images)

    @property
    def open_ended(self) -> bool:
        """Return True: the share of weights follows from the network's shape."""
        return True
