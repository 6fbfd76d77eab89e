"""Carry out a recipe: every step from the store if it is there, else made, measured and stored, point after point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch
from filelock import Timeout
from torch import Tensor, nn

from compress.agreement import IMAGES, activations, check_same, check_steady
from compress.costs import check_networks
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.errors import StoreError
from compress.machine.stopwatch import Stopwatch
from compress.measure import BATCH, measure
from compress.measurement import Measurement
from compress.plan import Step, plan
from compress.pruning.pruner import weight_count
from compress.recipe import Recipe
from compress.step_runner import CALIBRATION_IMAGES, StepRunner, label
from compress.store.files import Files
from compress.store.folder import Entry, Store
from compress.store.outputs import outputs_of
from compress.store.series import packed
from compress.training.loop import training_device


@dataclass(frozen=True)
class Made:
    """One point of a recipe: its place in the store and on the curve, its figures, and whether the store had it."""

    key: str
    sparsity: float
    variant: str
    measured: Measurement
    path: str
    known: bool


class Ensured(NamedTuple):
    """A step's entry, and whether the call made it: False where the store had it or another process made it."""

    entry: Entry
    made: bool


@dataclass
class Pipeline:
    """Makes steps of one task in one store.

    `on_progress(what, done, of)` hears of the epochs of trainings, of other work with 0 of 0; `on_batch` hears the same
    after each batch, fractions of epochs included, and of cuts and measurements. Both may raise, to break off.
    `spent` adds up seconds by what they went into: train, measure, cut, store, wait. `making` names the step in work.
    With `keep_outputs` each point's outputs on validation and test are stored (`compress/store/outputs.py`).
    """

    task: Task
    store: Store
    on_progress: Callable[[str, int, int], None] = lambda what, done, of: None
    on_batch: Callable[[str, float, int], None] = lambda what, done, of: None
    spent: dict[str, float] = field(default_factory=dict)
    making: str = ""
    keep_outputs: bool = False

    def __post_init__(self) -> None:
        self.task = self.task.to(training_device())
        self._clock = Stopwatch(self.spent)

    @property
    def _work(self) -> StepRunner:
        """Made where it is used: kept, it would hold this pipeline, and its data on a GPU, in a cycle."""
        return StepRunner(
            self.task,
            self.store,
            self.entry,
            lambda: self._calibration,
            self._clock,
            self.on_progress,
            self.on_batch,
        )

    @cached_property
    def _shown(self) -> Tensor:
        """The images on which a network is compared with what was stored of it."""
        return self.task.train.first(IMAGES).images

    @cached_property
    def _calibration(self) -> Batch:
        return replace(self.task.train.some(CALIBRATION_IMAGES, seed=0), goal=self.task.goal)

    def run(self, recipe: Recipe) -> Iterator[Made]:
        """The points of the recipe as they are made, the unpruned model first; RecipeError before anything trains."""
        check_networks(recipe, self.task)
        steps = plan(recipe, self.task.fingerprint)
        left_out: set[str] = set()
        for step in steps:
            if step.stage.variant and step.parent and step.parent.key in left_out:
                continue
            entry, made = self.ensure(step)
            if self._was_taken_back(step):
                left_out.add(step.key)
                continue
            if self.keep_outputs:
                self._keep_outputs(entry)
            sparsity = step.sparsity if step.sparsity is not None else self._removed(step, steps[0])
            yield Made(entry.key, sparsity, step.variant, entry.measured, str(entry.path), known=not made)

    def _keep_outputs(self, entry: Entry) -> None:
        """Store the outputs of a point's model, unless they are there or too large."""
        with self._clock("measure"):
            if self.store.outputs(entry.key) is None:
                outputs = outputs_of(entry.files().module().to(training_device()), self.task)
                if outputs is not None:
                    self.store.keep_outputs(entry.key, outputs)

    def module(self, key: str) -> nn.Module:
        """The stored model of a point that was made, on the CPU; StoreError if it is gone."""
        entry = self.store.get(key)
        if entry is None:
            raise StoreError(f"store: {key} must be there, it was made just now")
        return entry.files().module()

    def entry(self, step: Step) -> Entry:
        """The entry of a step; see `ensure`."""
        return self.ensure(step).entry

    def ensure(self, step: Step) -> Ensured:
        """Make the step's entry unless the store has it; wait while another process makes it."""
        with self._clock("store"):
            entry = self.store.get(step.key, (step.model,))
        if entry is not None:
            return Ensured(entry, made=False)
        lock = self.store.lock(step.key)
        with self._clock("wait"):
            while True:
                try:
                    lock.acquire(timeout=1)
                    break
                except Timeout:
                    self.on_progress(f"waiting for {step.stage.name}", 0, 0)
        try:
            with self._clock("store"):
                entry = self.store.get(step.key, (step.model,))
            return Ensured(self._make(step), made=True) if entry is None else Ensured(entry, made=False)
        finally:
            lock.release()

    def _make(self, step: Step) -> Entry:
        for needed in (step.teacher, step.original, step.parent):
            if needed is not None:
                self.ensure(needed)
        self.making = step.title
        started = time.perf_counter()
        torch.manual_seed(step.seed)
        if step.parent is not None and step.parent.stage == step.stage and self._was_taken_back(step.parent):
            return self._take_back(step)
        self.on_batch(f"{label(step)}, cutting" if step.parent else label(step), 0.0, 0)
        with self._clock("cut"):
            model = self._work.start(step)
        with self._clock("train"):
            epochs = self._work.train(step, model)
        self.on_batch(f"{label(step)}, measuring", 0.0, 0)
        with self._clock("store"):
            files = Files.of(model, step.model, classes=self.task.outputs, channels=self.task.channels)
            stored = files.module().to(training_device())
            who = f"{step.model} after {step.stage.name}"
            check_same(who, model, stored, self._shown)
        with self._clock("measure"):  # of what was stored, not of what was trained
            before = activations(stored, self._shown).logits
            measured = replace(measure(stored, self.task, files), seconds=time.perf_counter() - started)
            if step.model.own:  # the zoo's networks keep nothing between two calls
                check_steady(who, stored, before, self._shown, self.task.train.first(BATCH).images)
        if self._has_failed(step, measured):
            return self._take_back(step)
        with self._clock("store"):
            self.store.keep_series(step.key, packed(step, epochs))
            taken_back = None if step.stage.tolerance is None else False
            return self.store.put(step.key, files, measured, step.made_from, taken_back)

    def _has_failed(self, step: Step, measured: Measurement) -> bool:
        """Whether a round of an adaptive method lost too much accuracy, or removed nothing."""
        tolerance = step.stage.tolerance
        if tolerance is None or step.parent is None or step.original is None:
            return False
        least = self.entry(step.original).measured.score_validation - tolerance
        return measured.score_validation < least or measured.params == self.entry(step.parent).measured.params

    def _take_back(self, step: Step) -> Entry:
        """Store the model that the round started from as the round's entry."""
        assert step.parent is not None
        kept = self.entry(step.parent)
        with self._clock("store"):
            self.store.keep_series(step.key, packed(step, ()))
            return self.store.put(step.key, kept.files(), kept.measured, step.made_from, taken_back=True)

    def _was_taken_back(self, step: Step) -> bool:
        """Whether the round's entry is the model before the round; an old entry does not say, so files are compared."""
        if step.stage.tolerance is None or step.parent is None:
            return False
        entry = self.entry(step)
        if entry.taken_back is not None:
            return entry.taken_back
        return entry.files().sha256 == self.entry(step.parent).files().sha256

    def _removed(self, step: Step, first: Step) -> float:
        """The share of the first network's weights that the step's has no more."""
        shown = step.parent if step.stage.variant and step.parent is not None else step
        return round(1 - weight_count(self._work.module(shown)) / weight_count(self._work.module(first)), 6)
