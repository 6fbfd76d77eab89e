"""Carry out a recipe: every step from the store if it is there, else made, measured and stored, point after point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from filelock import Timeout
from torch import nn

from compress.costs import check_networks
from compress.data import Batch
from compress.distill.teaching import Teaching
from compress.distill.views import Views
from compress.files import Files
from compress.measure import accuracy, measure
from compress.measurement import Measurement
from compress.models.family import head_of
from compress.plan import Step, plan
from compress.pruning import Adaptive
from compress.pruning.inside import Goal, Inside, Pruning
from compress.pruning.masks import masked_parameters
from compress.recipe import Recipe
from compress.stage import Distill, Factorize, Narrow, Prune, Quantize, Recovery, Train
from compress.store import Entry, Store
from compress.tasks import Task
from compress.train import Hook, KeepZeros, Loss, fit, training_device
from compress.training import Training
from compress.transform import transform, weight_count

CALIBRATION_IMAGES = 256


@dataclass(frozen=True)
class Made:
    """One point of a recipe: where it lies, where it sits on the curve, what it measures, and whether it was known."""

    key: str
    sparsity: float
    variant: str
    measured: Measurement
    path: str
    known: bool


@dataclass
class Pipeline:
    """Makes steps of one task in one store. `told(what, done, of)` hears of progress, for displays.

    `spent` adds up seconds by what they went into: train, measure, cut, store, wait.
    """

    task: Task
    store: Store
    told: Callable[[str, int, int], None] = lambda what, done, of: None
    spent: dict[str, float] = field(default_factory=dict)
    _running: list[float] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.task = self.task.to(self.device)

    def run(self, recipe: Recipe) -> Iterator[Made]:
        """The points of the recipe as they are made, the unpruned model first; RecipeError before anything trains."""
        check_networks(recipe, self.task)
        steps = plan(recipe, self.task.fingerprint)
        left_out: set[str] = set()
        for step in steps:
            if isinstance(step.stage, Quantize) and step.parent and step.parent.key in left_out:
                continue
            before = self.spent.get("train", 0.0) + self.spent.get("measure", 0.0)
            entry = self.ensure(step)
            known = before == self.spent.get("train", 0.0) + self.spent.get("measure", 0.0)
            if self._was_taken_back(step):
                left_out.add(step.key)
                continue
            sparsity = step.sparsity if step.sparsity is not None else self._removed(step, steps[0])
            yield Made(entry.key, sparsity, step.variant, entry.measured, str(entry.path), known)

    def ensure(self, step: Step) -> Entry:
        """The step's entry, made if it is not there; waits while another process makes it."""
        with self._clock("store"):
            entry = self.store.get(step.key)
        if entry is not None:
            return entry
        lock = self.store.lock(step.key)
        with self._clock("wait"):
            while True:
                try:
                    lock.acquire(timeout=1)
                    break
                except Timeout:
                    self.told(f"waiting for {step.stage.name}", 0, 0)
        try:
            with self._clock("store"):
                entry = self.store.get(step.key)
            return entry if entry is not None else self._make(step)
        finally:
            lock.release()

    def _make(self, step: Step) -> Entry:
        for needed in (step.teacher, step.original, step.parent):
            if needed is not None:
                self.ensure(needed)
        started = time.perf_counter()
        torch.manual_seed(step.seed)
        if step.parent is not None and step.parent.stage == step.stage and self._was_taken_back(step.parent):
            return self._take_back(step)
        with self._clock("cut"):
            model = self._start(step)
        with self._clock("train"):
            self._train(step, model)
        with self._clock("store"):
            files = Files.of(model, step.model, classes=len(self.task.classes), channels=self.task.channels)
            stored = files.module().to(self.device)
        with self._clock("measure"):  # of what was stored, not of what was trained
            measured = replace(measure(stored, self.task, files), seconds=time.perf_counter() - started)
        if self._has_failed(step, measured):
            return self._take_back(step)
        with self._clock("store"):
            return self.store.put(step.key, files, measured, step.made_from)

    def _has_failed(self, step: Step, measured: Measurement) -> bool:
        """Whether a round of an adaptive method lost too much accuracy, or removed nothing."""
        method = getattr(step.stage, "method", None)
        if not isinstance(method, Adaptive) or step.parent is None or step.original is None:
            return False
        least = self.ensure(step.original).measured.accuracy_validation - method.tolerance
        return measured.accuracy_validation < least or measured.params == self.ensure(step.parent).measured.params

    def _take_back(self, step: Step) -> Entry:
        """The round's entry holds what it started from."""
        assert step.parent is not None
        kept = self.ensure(step.parent)
        with self._clock("store"):
            return self.store.put(step.key, kept.files(), kept.measured, step.made_from)

    def _was_taken_back(self, step: Step) -> bool:
        if not (isinstance(step.stage, Prune) and step.stage.method.adaptive) or step.parent is None:
            return False
        return self.ensure(step).files().sha256 == self.ensure(step.parent).files().sha256

    def _removed(self, step: Step, first: Step) -> float:
        """The share of the first network's weights that the step's has no more."""
        shown = step.parent if isinstance(step.stage, Quantize) and step.parent is not None else step
        return round(1 - weight_count(self._module(shown)) / weight_count(self._module(first)), 6)

    def _start(self, step: Step) -> nn.Module:
        """The network before this step's training: new, or the parent's, its structure changed unless training does."""
        if step.parent is None or step.original is None:
            return step.model.start(len(self.task.classes), self.task.channels).to(self.device)
        assert isinstance(step.stage, Prune | Factorize | Quantize | Narrow)
        if isinstance(step.stage, Prune) and isinstance(step.stage.method, Inside):
            return self._module(step.parent)
        full = weight_count(self._module(step.original))
        model = self._module(step.parent)
        return transform(model, step.stage, step.level, full=full, calibration=self.calibration())

    def _train(self, step: Step, model: nn.Module) -> None:
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
                hooks.append(KeepZeros(masked_parameters(model, stage.method, self.calibration())))
            only = None
            if stage.recovery.scope == "classifier":
                only = model.get_submodule(head_of(model))
            loss = self._loss(step, model, stage.recovery)
            self._fit(step, loss, stage.recovery.training, only=only, hooks=hooks)
            if pruning is not None:
                with self._clock("cut"):
                    pruning.finish()

    def _inside(self, step: Step, model: nn.Module) -> Pruning | None:
        """The hook of a method that prunes while the network trains."""
        stage = step.stage
        if not (isinstance(stage, Prune) and isinstance(stage.method, Inside) and step.original is not None):
            return None
        goal = Goal(
            step.level,
            weight_count(self._module(step.original)),
            self.calibration(),
            stage.recovery.training.epochs,
            validate=lambda: accuracy(model.eval(), self.task.validation),
            unpruned=self.ensure(step.original).measured.accuracy_validation,
        )
        return stage.method.begin(model, goal)

    def _loss(self, step: Step, model: nn.Module, recovery: Recovery) -> Loss:
        if recovery.distiller is None or step.teacher is None:
            return Loss(model, recovery.training.label_smoothing)
        first = next(iter(self.task.train.batches(recovery.training.batch_size)))
        teacher, labels = self._module(step.teacher), self.task.train.labels
        return Teaching(model, teacher, recovery.distiller, first, labels=labels, views=self._views(step, step.teacher))

    def _views(self, step: Step, teacher: Step) -> Views | None:
        """What the teacher has said, to be used again: not of an original that is asked but by one short curve."""
        views, stage = self.task.augment.views, step.stage
        if teacher is step.original and isinstance(stage, Prune | Factorize):
            shown = len(stage.levels) * stage.recovery.training.epochs
            if shown < views:
                return None
        path = self.store.views(f"{teacher.key}-{self.device.type}")
        return Views(path, len(self.task.train), views, len(self.task.classes))

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

    @property
    def device(self) -> torch.device:
        """Where models train and are measured."""
        return training_device()

    def calibration(self) -> Batch:
        """The same training images and labels every time, on the training device."""
        batches = self.task.train.batches(CALIBRATION_IMAGES, generator=torch.Generator().manual_seed(0), augment=None)
        return next(iter(batches))

    def _module(self, step: Step) -> nn.Module:
        with self._clock("store"):
            return self.ensure(step).files().module().to(self.device)

    @contextmanager
    def _clock(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        self._running.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.spent[what] = self.spent.get(what, 0.0) + took - self._running.pop()
            if self._running:  # what ran inside another clock is not counted there again
                self._running[-1] += took


def _place(step: Step) -> str:
    return f"round {step.level:.0f}" if step.sparsity is None else f"{step.sparsity:.0%}"
