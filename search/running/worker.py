"""The worker runs a trial, a few points a step: the only code of this project inside a Ray actor."""

from __future__ import annotations

import errno
import faulthandler
import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from ray import tune

from compress.data.own_task import offer
from compress.data.splits import DataError
from compress.data.tasks import Task, load_task
from compress.errors import DiskError, MissingModel, RecipeError, StoreError, said
from compress.latency.latency_model import LatencyModel
from compress.measurement import Measurement
from compress.pipeline import Made, Pipeline
from compress.recipe import Recipe
from compress.store.bucket import open_store
from compress.training.loop import TrainingError, hide_gpus, training_device
from search.running.activity import Stopped, Telling
from search.running.devices import share_gpu
from search.running.failures import (
    GpuLost,
    NodeError,
    check_gpu,
    is_lost,
    is_out_of_memory,
    lost,
    missing,
    out_of_memory,
    unusable,
)
from search.running.job import Job, StepResult
from search.running.notes import keep_warnings
from search.study.record import point_event
from search.worker_path import settle

STEP_SECONDS = 1.0
GRACE_S = 5.0
"""Seconds after a trial's limit for a point about to be finished."""
END_S = 1.0
"""Seconds for the reason to reach the driver, before a process without its GPU ends."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Compression(tune.Trainable):
    """Carries out a recipe: each step of Tune makes the next points, the last step says how the trial ended.

    The config is a `Job`. An actor is reused, and keeps only the loaded task, on the training device.
    """

    def setup(self, config: dict[str, Any], given: Task | None = None) -> None:
        """Begin a trial; failures are left to `step`, whose result can report them. `given` is an object's task."""
        if given is not None:
            offer(given)
        job = Job.from_json(config)
        if not job.gpus:
            hide_gpus()  # Ray hides GPUs only on a node started with the variable of `cluster.py`
        settle(job.folders)
        self.data: tuple[Task, Task] | None = None
        self.telling = Telling()
        if 0 < job.gpus < 1 and torch.cuda.is_available():
            share_gpu(job.gpus)
        self._take(job)

    def _take(self, job: Job) -> None:
        self.job = job
        if os.path.isdir(job.here):  # Tune enters the trial's folder; a user's function opens files by relative paths
            os.chdir(job.here)
        torch.set_num_threads(job.threads)
        self.started = time.perf_counter()
        self.tried_again = False
        self._free()
        self.telling.begin(job.board, job.trial)
        self.notes = keep_warnings()

    def _free(self) -> None:
        """Drop the trial's networks, and give their GPU memory back to other trials."""
        self.pipeline: Pipeline | None = None
        self.points: Iterator[Made] | None = None
        torch.cuda.empty_cache()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial."""
        self._take(Job.from_json(new_config))
        return True

    def step(self) -> dict[str, Any]:
        """Make points for at least a second; without any more points, say how the trial ended.

        A message to the driver and back costs a tenth of a second on a busy machine, often more than a point. Points
        are in the store before the message, so no point is lost with the worker. After GpuLost the process ends, and
        Tune begins the trial again in another process.
        """
        with self._watched():
            return self._step().as_json()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End this process soon after the trial's limit: nothing else ends a hanging call."""
        if self.job.limit is not None:
            faulthandler.dump_traceback_later(GRACE_S + max(0.0, self._left(self.job.limit)), exit=True, file=2)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _left(self, limit: float) -> float:
        """Return the seconds to the trial's limit."""
        return limit - self.job.used - (time.perf_counter() - self.started)

    def _step(self) -> StepResult:
        started = time.monotonic()
        points: list[dict[str, Any]] = []
        end = StepResult()
        if self.job.limit is not None and self._left(self.job.limit) < 0:
            end = StepResult(failed=f"took longer than the trial-limit of {self.job.limit:g} s")
        while not end.done and (not points or time.monotonic() - started < STEP_SECONDS):
            again = False
            try:
                made = next(self._points(), None)
            except Exception as error:  # a user's own network may raise anything; Tune would try again
                end = self._end_by(error)
                again = not end.done
            else:
                if made is None:
                    end = StepResult(failed="")
                else:
                    points.append(point_event(made.key, made.sparsity, made.variant, self._figures(made)))
            if again:  # not in the handler: the exception keeps the networks of its frames
                self._begin_again()
        spent = {what: round(seconds, 3) for what, seconds in (self.pipeline.spent if self.pipeline else {}).items()}
        worked = time.perf_counter() - self.started
        result = replace(end, points=points, spent=spent, notes=self.notes.take(), worked_seconds=worked)
        if end.done:
            self._free()
        return result

    def _figures(self, made: Made) -> Measurement:
        """Return a point's figures; in a study that foresees latencies, with the foreseen latency of its model.

        A network whose latency cannot be foreseen keeps the measured, which is not compared with those of a target.
        """
        if self.job.latency is None or self.pipeline is None:
            return made.measured
        model = LatencyModel.from_json(self.job.latency)
        try:
            return model.into(made.measured, self.pipeline.module(made.key), self.pipeline.task.shape)
        except Exception as error:  # of a user's own network
            logging.getLogger("compress").warning("latency: %s cannot be foreseen (%s)", made.key[:8], said(error))
            return made.measured

    def _begin_again(self) -> None:
        """Free all memory; the trial goes on from the store."""
        self._free()
        self.data = None
        gc.collect()
        torch.cuda.empty_cache()

    def _end_by(self, error: Exception) -> StepResult:
        """Return the end of the trial after an exception.

        The result is not done after the first lack of memory: the trial goes on once more. GpuLost when this process
        cannot use the GPU any more; the process ends soon after.
        """
        if isinstance(error, Stopped):
            return StepResult(failed="")  # the driver has ended the trial
        if isinstance(error, DiskError):
            return StepResult(stuck=str(error))
        if getattr(error, "errno", None) in FULL:
            return StepResult(stuck=f"store: {error}")
        if isinstance(error, MissingModel):
            return StepResult(unfit=missing(error))
        if isinstance(error, RecipeError | TrainingError | StoreError):
            return StepResult(failed=str(error))
        if isinstance(error, NodeError) or unusable(error):
            return StepResult(unfit=unusable(error) or str(error))
        if is_lost(error):
            threading.Timer(END_S, os._exit, (1,)).start()
            raise GpuLost(lost(error)) from None
        if not is_out_of_memory(error):
            what = (self.pipeline and self.pipeline.making) or "its task"
            return StepResult(failed=f"{what} failed ({said(error)})")
        if self.tried_again:
            return StepResult(failed=out_of_memory(error, self.job.gpus))
        self.tried_again = True
        return StepResult()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Do nothing: the store keeps all results."""

    def load_checkpoint(self, checkpoint: object) -> None:
        """Do nothing: the store has all results."""

    def _points(self) -> Iterator[Made]:
        if self.points is None:
            check_gpu(self.job.gpus)
            recipe = Recipe.from_json(self.job.recipe)
            store = open_store(self.job.store)
            task = self._task(recipe.task, store.root / "data")
            if self.data is None or self.data[0] is not task:
                self.data = task, task.to(training_device())
            self.pipeline = Pipeline(
                self.data[1],
                store,
                on_progress=self.telling,
                on_batch=self.telling,
                keep_outputs=self.job.keep_outputs,
            )
            self.points = self.pipeline.run(recipe)
        return self.points

    def _task(self, name: str, cache: Path) -> Task:
        """Return the driver's task; NodeError where this node cannot load the task."""
        try:
            data = Path(self.job.data) if self.job.data else None
            task = load_task(name, data, cache_dir=cache, begun=self.job.fingerprint)
        except DataError as error:
            raise NodeError(missing(error)) from error
        _check_images(task, self.job.fingerprint)
        return task


def _check_images(task: Task, begun: str | None) -> None:
    """Raise NodeError where this node has other images than the driver: its models would belong to another task."""
    if begun not in (None, task.fingerprint):
        raise NodeError(
            f"{task.name}: every node must have the images the search began with, fingerprint {str(begun)[:8]}, "
            f"got {task.fingerprint[:8]} on {socket.gethostname()}"
        )
