"""Which networks the methods benchmark trains, and for how long: small enough for two cores."""

from __future__ import annotations

from dataclasses import dataclass

from compress.data.tasks import Task
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Stage, Train
from compress.training.settings import Training
from spaces.space import Effort, effort


@dataclass(frozen=True)
class Setting:
    """Epochs of a training and of a recovery, and networks: of students, recovery, pruners, gradual and lowrank.

    `rates` are the learning rates of a training and of a recovery.
    """

    epochs: Effort
    teacher: Model
    student: Model
    recovered: Model
    cut: Model
    gradual: Model
    factorized: Model
    batch_size: int = 128
    rates: tuple[float, float] = (0.1, 0.05)

    def scratch(self, extra: int = 0) -> Training:
        """From scratch, `extra` epochs longer."""
        return Training(epochs=self.epochs.scratch + extra, lr=self.rates[0], batch_size=self.batch_size)

    def recovery(self, epochs: int | None = None) -> Training:
        """After a cut."""
        return Training(epochs=epochs or self.epochs.recovery, lr=self.rates[1], batch_size=self.batch_size)

    def then(self, task: Task, model: Model, stage: Stage) -> Recipe:
        """The model trained plain, then the stage."""
        return Recipe(task.name, model, (Train(self.scratch()), stage))

    @property
    def words(self) -> str:
        """The epochs, for a title."""
        return f"{self.epochs.scratch} epochs before and {self.epochs.recovery} after"


HALF, QUARTER = Model("resnet20", 0.5), Model("vgg8", 0.25)
DIGITS = Setting(effort("digits"), Model("resnet20"), Model("cnn", 0.5), HALF, HALF, Model("cnn"), HALF)
OTHERS = Setting(Effort(20, 4), QUARTER, Model("cnn"), QUARTER, QUARTER, QUARTER, QUARTER, 32, (0.05, 0.02))
"""For some 2,500 colour images of 32x32: of batches of 128 there would be 20 an epoch, too few to learn much."""
