"""What is done to the network of one step: how it starts, under which loss and hooks it trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from compress.clock import Clock
from compress.data import Batch
from compress.distill.teaching import Teaching
from compress.distill.views import Views
from compress.measure import accuracy
from compress.models.family import head_of
from compress.numerics import exact
from compress.plan import Step
from compress.pruning.inside import Goal, Inside, Pruning
from compress.pruning.masks import masked_parameters
from compress.pruning.pruner import weight_count
from compress.stage import Distill, Factorize, Narrow, Prune, Quantize, Recovery, Stage, Train
from compress.store import Entry, Store
from compress.tasks import Task
from compress.train import Hook, KeepZeros, Loss, fit, training_device
from compress.training import Training
from compress.transform import transform

CALIBRATION_IMAGES = 256
FEW_VIEWS = 50
"""Views of an image that are kept for trainings to come, at most, for each time the image is shown. Images of 224
pixels have 6,498: a hundred epochs would write 230 GB and read next to nothing. On a GPU, where a lookup takes longer
than a small teacher, no more views are kept than are shown.
"""
MOST_BYTES = 2**38
"""Of the file of one teacher, were all views there: 256 GiB."""


@dataclass(frozen=True)
class Work:
    """On one task, whose data are on the training device; `ensure` gives what other steps have made.

    `calibration` gives the same training images and labels every time, on the training device.
    """

    task: Task
    store: Store
    ensure: Callable[[Step], Entry]
    calibration: Callable[[], Batch]
    clock: Clock
    told: Callable[[str, int, int], None]

    @exact()
    def start(self, step: Step) -> nn.Module:
        """The network before this step's training: new, or the parent's, its structure changed unless training does."""
        if step.parent is None or step.original is None:
            return step.model.start(len(self.task.classes), self.task.channels).to(training_device())
        assert isinstance(step.stage, Prune | Factorize | Quantize | Narrow)
        if isinstance(step.stage, Prune) and isinstance(step.stage.method, Inside):
            return self.module(step.parent)
        full = weight_count(self.module(step.original))
        model = self.module(step.parent)
        return transform(model, step.stage, step.level, full=full, calibration=self.calibration())

    def train(self, step: Step, model: nn.Module) -> None:
        """As the step's stage says, in place; nothing for a stage that trains nothing."""
        stage = step.stage
        if isinstance(stage, Train):
            self._fit(step, Loss(model, stage.training.label_smoothing), stage.training)
        elif isinstance(stage, Distill | Narrow):
            self._fit(
                step,
                self._loss(step, model, Recovery(stage.training, distiller=stage.method)),
                stage.training,
            )
        elif isinstance(stage, Prune | Factorize):
            hooks: list[Hook] = []
            pruning = self._inside(step, model)
            if pruning is not None:
                hooks.append(pruning)
            elif isinstance(stage, Prune) and stage.method.granularity == "weight":
                with exact():
                    hooks.append(KeepZeros(masked_parameters(model, stage.method, self.calibration())))
            only = None
            if stage.recovery.scope == "classifier":
                only = model.get_submodule(head_of(model))
            loss = self._loss(step, model, stage.recovery)
            self._fit(step, loss, stage.recovery.training, only=only, hooks=hooks)
            if pruning is not None:
                with self.clock("cut"):
                    pruning.finish()

    def module(self, step: Step) -> nn.Module:
        """The step's network as it is stored."""
        with self.clock("store"):
            return self.ensure(step).files().module().to(training_device())

    def _inside(self, step: Step, model: nn.Module) -> Pruning | None:
        """The hook of a method that prunes while the network trains."""
        stage = step.stage
        if not (isinstance(stage, Prune) and isinstance(stage.method, Inside) and step.original is not None):
            return None
        goal = Goal(
            step.level,
            weight_count(self.module(step.original)),
            self.calibration(),
            stage.recovery.training.epochs,
            validate=lambda: accuracy(model.eval(), self.task.validation),
            unpruned=self.ensure(step.original).measured.accuracy_validation,
        )
        with exact():
            return stage.method.begin(model, goal)

    def _loss(self, step: Step, model: nn.Module, recovery: Recovery) -> Loss:
        if recovery.distiller is None or step.teacher is None:
            return Loss(model, recovery.training.label_smoothing)
        first = self.task.train.first(recovery.training.batch_size)
        teacher, labels = self.module(step.teacher), self.task.train.labels
        return Teaching(model, teacher, recovery.distiller, first, labels=labels, views=self._views(step, step.teacher))

    def _views(self, step: Step, teacher: Step) -> Views | None:
        """The teacher's logits so far, to be used again. None where hardly a view would be shown twice, as of an
        original that teaches one short curve alone.
        """
        views, stage, device = self.task.augment.views, step.stage, training_device().type
        epochs, most = _shown(stage), (FEW_VIEWS if device == "cpu" else 1)
        if teacher is step.original and isinstance(stage, Prune | Factorize):
            most = 1
        sizes = len(self.task.train), views, len(self.task.classes)
        if views > most * epochs or Views.size_bytes(*sizes) > MOST_BYTES:
            return None
        return Views(self.store.views(f"{teacher.key}-{device}"), *sizes)

    def _fit(
        self,
        step: Step,
        loss: Loss,
        training: Training,
        only: nn.Module | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        fit(
            loss,
            self.task.train,
            training,
            seed=step.seed,
            augment=self.task.augment,
            only=only,
            hooks=hooks,
            checkpoint=self.store.checkpoint(step.key),
            told=lambda epoch, epochs: self.told(f"{step.stage.name} {step.model} {_place(step)}", epoch, epochs),
        )
        if isinstance(loss, Teaching):
            loss.ship()


def _shown(stage: Stage) -> int:
    """How often a stage shows each image, in all its levels."""
    if isinstance(stage, Distill | Narrow):
        return stage.training.epochs
    return len(stage.levels) * stage.recovery.training.epochs if isinstance(stage, Prune | Factorize) else 0


def _place(step: Step) -> str:
    return f"round {step.level:.0f}" if step.sparsity is None else f"{step.sparsity:.0%}"
