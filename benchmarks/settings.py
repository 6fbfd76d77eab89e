"""Which networks the methods benchmark trains, and for how long: small enough for two cores."""

from __future__ import annotations

from dataclasses import dataclass

from compress.models import Model
from compress.training import Training
from spaces.space import Effort, effort


@dataclass(frozen=True)
class Setting:
    """Epochs of a training and of a recovery, and networks: of students, recovery, pruners, gradual and lowrank."""

    epochs: Effort
    teacher: Model
    student: Model
    recovered: Model
    cut: Model
    gradual: Model
    factorized: Model

    def scratch(self, extra: int = 0) -> Training:
        """From scratch, `extra` epochs longer."""
        return Training(epochs=self.epochs.scratch + extra, lr=0.1)

    def recovery(self, epochs: int | None = None) -> Training:
        """After a cut."""
        return Training(epochs=epochs or self.epochs.recovery, lr=0.05)


HALF = Model("resnet20", 0.5)
DIGITS = Setting(effort("digits"), Model("resnet20"), Model("cnn", 0.5), HALF, HALF, Model("cnn"), HALF)
OTHERS = Setting(Effort(12, 4), HALF, Model("cnn"), Model("cnn"), HALF, Model("cnn"), HALF)
"""For some 2,500 colour images of 32x32: twelve epochs are far from the end of training, and so are the accuracies."""
