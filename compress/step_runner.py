"""Make the network of a step: initial network, loss, hooks and training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill.teacher_logits import Views
from compress.distill.teaching import Teaching
from compress.goals import smoothed
from compress.machine.numerics import exact
from compress.machine.stopwatch import Stopwatch
from compress.measure import grade
from compress.models.family import head_of
from compress.plan import Step
from compress.pruning.during_training import Goal, Pruning
from compress.stages import Lesson, Recovery
from compress.store.folder import Entry, Store
from compress.training.loop import Hook, Loss, fit, training_device
from compress.training.series import Row
from compress.training.settings import Training

CALIBRATION_IMAGES = 256
FEW_VIEWS = 50
"""Views of an image kept on the CPU for later trainings, at most, for each time the image is shown.

Images of 224 pixels have 6,498 views: a hundred epochs would write 230 GB and hardly read any view again. On a GPU,
where a lookup takes longer than a small teacher, no more views are kept than are shown.
"""
MOST_BYTES = 2**38
"""Greatest size of one teacher's file with all views present: 256 GiB."""


@dataclass(frozen=True)
class StepRunner:
    """Makes the networks of a task's steps; the task's data are on the training device.

    `ensure` returns the store's entry of another step. `calibration` returns the same training images and labels every
    time, on the training device.
    """

    task: Task
    store: Store
    ensure: Callable[[Step], Entry]
    calibration: Callable[[], Batch]
    stopwatch: Stopwatch
    on_progress: Callable[[str, int, int], None]
    on_batch: Callable[[str, float, int], None] = lambda what, done, of: None

    @exact()
    def start(self, step: Step) -> nn.Module:
        """Return the network before this step's training: new, or the parent's after the stage's change of structure.

        For a stage that cuts during training, the structure is still the parent's.
        """
        if step.parent is None or step.original is None:
            return step.model.start(self.task.outputs, self.task.channels).to(training_device())
        if step.stage.changes_in_training:
            return self.module(step.parent)
        calibration = self.calibration()
        full = step.stage.amount(self.module(step.original), calibration.images[:1])
        model = self.module(step.parent)
        return step.stage.change(model, step.level, full=full, calibration=calibration)

    def train(self, step: Step, model: nn.Module) -> list[Row]:
        """Train `model` in place with the stage's lesson; return figures by epoch, none without training."""
        lesson = step.stage.lesson
        if lesson is None:
            return []
        with exact():
            hook = step.stage.hook(model, self.calibration, lambda: self._goal(step, model, lesson))
        only = model.get_submodule(head_of(model)) if lesson.scope == "classifier" else None
        loss = self._loss(step, model, lesson)
        series = self._fit(step, loss, lesson.training, only=only, hooks=[] if hook is None else [hook])
        if isinstance(hook, Pruning):
            with self.stopwatch("cut"):
                hook.finish()
        return series

    def module(self, step: Step) -> nn.Module:
        """Load the step's network from the store."""
        with self.stopwatch("store"):
            return self.ensure(step).files().module().to(training_device())

    def _goal(self, step: Step, model: nn.Module, lesson: Lesson) -> Goal:
        """Return the goal of a method that prunes during training."""
        assert step.original is not None
        calibration = self.calibration()
        return Goal(
            step.level,
            step.stage.amount(self.module(step.original), calibration.images[:1]),
            calibration,
            lesson.training.epochs,
            validate=lambda: self._validated(step, model),
            unpruned=self.ensure(step.original).measured.score_validation,
        )

    def _validated(self, step: Step, model: nn.Module) -> float:
        """Return the quality on validation; a pruner may ask many times, which takes minutes."""
        self.on_batch(f"{label(step)}, validating", 0.0, 0)
        return grade(model.eval(), self.task, self.task.validation)[0]

    def _loss(self, step: Step, model: nn.Module, lesson: Lesson) -> Loss:
        if lesson.distiller is None or step.teacher is None:
            return Loss(model, smoothed(self.task.goal, lesson.training.label_smoothing).loss)
        first = self.task.train.first(lesson.training.batch_size)
        teacher, targets = self.module(step.teacher), self.task.train.targets
        return Teaching(
            model,
            teacher,
            lesson.distiller,
            first,
            targets=targets,
            goal=self.task.goal,
            views=self._views(step, step.teacher),
        )

    def _views(self, step: Step, teacher: Step) -> Views | None:
        """Return the teacher's logits kept so far.

        Return None where hardly a view would be shown twice, as under an original with a single short curve.
        """
        views, lesson, device = self.task.augment.views, step.stage.lesson, training_device().type
        epochs = 0 if lesson is None else lesson.training.epochs * len(step.stage.levels)
        most = FEW_VIEWS if device == "cpu" else 1
        if teacher is step.original and isinstance(lesson, Recovery):
            most = 1
        if views is None:  # a user's own augmentation shows no image twice
            return None
        sizes = len(self.task.train), views, self.task.outputs
        if not self.task.goal.softmax or self.task.goal.dense:  # half precision is for logits, a row for an image
            return None
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
    ) -> list[Row]:
        what = label(step)
        series = fit(
            loss,
            self.task.train,
            training,
            seed=step.seed,
            augment=self.task.augment,
            only=only,
            hooks=hooks,
            checkpoint=self.store.checkpoint(step.key),
            counts_right=self.task.goal.counts_right,
            on_progress=lambda epoch, epochs: self.on_progress(what, epoch, epochs),
            on_batch=lambda done: self.on_batch(what, done, training.epochs),
        )
        if isinstance(loss, Teaching):
            loss.ship()
        return series


def label(step: Step) -> str:
    """Return the step in a few words for a display: `prune cnn 40%`."""
    return f"{step.stage.name} {step.model} {_place(step)}".rstrip()


def _place(step: Step) -> str:
    """Return the sparsity, the level, or the round of an adaptive method; "" for an unpruned or a single model."""
    share = step.level if step.sparsity is None else step.sparsity
    if 0 < share < 1:
        return f"{share:.0%}"
    return f"round {share:.0f}" if share else ""
