"""Run the driver's trials in Ray Tune, and pass the workers' results to the driver."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.air._internal import usage
from ray.air.execution._internal import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.search import Searcher

from compress.data.own_task import OBJECT, offered
from compress.errors import DiskError
from search.running.activity import ask_to_stop
from search.running.aside import choosing_aside
from search.running.cluster import places
from search.running.driver import Driver
from search.running.failures import NodeError, gpu_lost, last_error, reason_gone
from search.running.interrupts import listen
from search.running.job import Job, StepResult
from search.running.local_ray import replaced
from search.running.sources import Choosing, NotNow
from search.running.tune_scheduler import Scheduler
from search.running.worker import Compression
from search.settings import Settings
from search.worker_path import folders

RETRIES = 2
"""Retries of a trial whose worker died, counted from the last points."""
RETRIES_ON_A_CLUSTER = 10
"""Retries on a cluster, where nodes are lost through no fault of the trial, spot instances above all."""
WAITING = 8
"""Trials waiting for a place on a cluster with an autoscaler: Ray starts nodes for waiting trials."""
COUNT_SECONDS = 1.0
AT_ONCE_S = 0.02
"""Seconds for a choice that is nearly made, on a cluster."""


class _Searcher(Searcher):
    """Gives trials to Tune. Tune's own limit on concurrent trials is fixed; the limit here follows the nodes."""

    def __init__(self, driver: Driver, settings: Settings) -> None:
        super().__init__(metric="done", mode="max")
        self.driver, self.settings = driver, settings
        self.folders = folders()
        self.live: set[str] = set()
        self.places, self.counted = 0, -math.inf

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles every object; nothing here has to be restored

    def suggest(self, trial_id: str) -> Any:
        if len(self.live) >= self._room():
            return None
        found: list[Job | None] = []
        try:
            self.driver.guard(lambda: found.append(self._next()))
        except NotNow:
            return None
        if not found or found[0] is None:
            return str(Searcher.FINISHED)
        self.live.add(trial_id)
        return self._complete(found[0]).as_json()

    def _next(self) -> Job | None:
        """Return the driver's next trial, waited for on a Ray of our own: Tune ends a second worker without a trial.

        On a cluster Tune has trials that wait for a place, and hears the workers meanwhile.
        """
        while True:
            try:
                return self.driver.next()
            except Choosing as soon:
                wait([soon.choice], AT_ONCE_S if self.settings.address and self.driver.at_work else None)
                if not soon.choice.done():
                    raise

    def _complete(self, job: Job) -> Job:
        """Return the job with its share of a node, the data's folder and the places of a user's modules."""
        return replace(
            job,
            data=str(self.settings.data.resolve()) if self.settings.data else None,
            threads=self.settings.cpus_per_trial,
            gpus=self.settings.gpus_per_trial or 0.0,
            limit=self.settings.trial_limit_s,
            folders=self.folders,
            here=os.getcwd(),
            keep_outputs=self.settings.keep_outputs,
            board=self.driver.board,
        )

    def _room(self) -> int:
        """Return the most trials Tune may hold, by the nodes alive now."""
        now = time.monotonic()
        if now - self.counted >= COUNT_SECONDS:
            first = self.counted < 0
            self.places, self.counted = places(self.settings), now
            if first and not self.places:
                asked = f"{self.settings.cpus_per_trial} CPU and {self.settings.gpus_per_trial or 0:g} GPU"
                self.driver.notes.append(f"no node has room for a trial of {asked} yet; trials wait for one")
        return max(1, self.places) + (WAITING if self.settings.address else 0)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Make room for another trial; `_Callback` handles the end itself."""
        self.live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Save nothing."""


class _Callback(tune.Callback):
    """Receives Tune's events of trials."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.since: dict[str, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def setup(self, *_: Any, **__: Any) -> None:
        """Handle Ctrl-C as well: a second Ctrl-C would make Tune stop at once."""
        ends: Any = signal.getsignal(signal.SIGINT)
        if callable(ends):
            listen(ends)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Note when a worker begins, to give the next worker the seconds used before."""
        self.since[trial.trial_id] = time.monotonic()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Handle a trial's last result; the scheduler handles all others."""
        if StepResult.is_last(result):
            self.hear(Job.from_json(trial.config).trial, result)

    def hear(self, number: int, result: dict[str, Any]) -> bool:
        """Hand a worker's step result to the driver; return whether any point is new."""
        state = self.driver.study.trials[number]
        before = len(state.points)
        self.driver.guard(lambda: self._heard(number, StepResult.from_json(result)))
        return len(state.points) > before

    def _heard(self, number: int, said: StepResult) -> None:
        self.driver.notes += said.notes
        self.driver.guard(lambda: self.driver.add(number, said.points, said.spent))
        if said.stuck:
            self.driver.give_up(DiskError(said.stuck))
        elif said.unfit:
            self.driver.give_up(NodeError(said.unfit))
        elif said.failed is not None:
            reason, seconds = said.failed, said.worked_seconds
            self.driver.guard(lambda: self.driver.end(number, said.status, reason, seconds, said.spent))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        now = time.monotonic()
        job = Job.from_json(trial.config)
        used = job.used + now - self.since.pop(trial.trial_id, now)
        trial.config.update(replace(job, used=used).as_json())
        lost = gpu_lost(last_error(trial.error_file)) or "its worker died"
        self.driver.notes.append(f"trial {job.trial}: {lost}; another goes on from what is stored")
        self.driver.heard()

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        for trial in self.driver.obey():
            ask_to_stop(self.driver.board, trial)
        if not self.driver.is_stopping:
            self.driver.guard(self.driver.look_ahead)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        number = Job.from_json(trial.config).trial
        reason = reason_gone(trial.error_file, trial.num_failures)  # `get_error` looks where nothing is stored
        seconds = time.monotonic() - self.driver.started.get(number, time.monotonic())
        self.driver.guard(lambda: self.driver.end(number, "failed", reason, seconds, {}))


@contextmanager
def _adapted() -> Iterator[None]:
    """Change two things of Ray meanwhile.

    A worker ended by Ray for the machine's memory counts as a dead worker: Tune would end the whole run. Tune does not
    count callbacks for Ray's statistics: the count imports MLflow, which takes a second.
    """
    ours = RayActorManager._actor_task_failed

    def failed(self: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            exception = RayActorError(error_msg=str(exception))
        ours(self, tracked_actor_task, exception)

    with replaced(RayActorManager, "_actor_task_failed", failed), replaced(usage, "_count_callbacks", lambda _: {}):
        yield


class _Stopper(tune.Stopper):
    """Ends the whole search at its deadline, by request, or when the driver cannot write any more."""

    def __init__(self, driver: Driver, seconds: float | None) -> None:
        self.driver = driver
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        is_late = self.deadline is not None and time.monotonic() > self.deadline
        return is_late or self.driver.is_stopping or self.driver.failure is not None


def run_trials(settings: Settings, driver: Driver, scratch: Path) -> None:
    """Run the driver's trials until no trial is left; Tune's own files go below `scratch`."""
    ear = _Callback(driver)
    trainable: Any = Compression
    if settings.task_name.startswith(OBJECT):
        trainable = tune.with_parameters(Compression, given=offered(settings.task_name))
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": settings.cpus_per_trial, "gpu": settings.gpus_per_trial or 0.0}),
        tune_config=tune.TuneConfig(
            search_alg=_Searcher(driver, settings),
            scheduler=Scheduler(ear.hear, driver.has_ended),
            num_samples=-1,  # until the driver has no trial left
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=str(scratch / "tune"),
            callbacks=[ear],
            stop=_Stopper(driver, settings.time_budget_s),
            failure_config=tune.FailureConfig(max_failures=RETRIES_ON_A_CLUSTER if settings.address else RETRIES),
            verbose=0,
        ),
    )
    with _adapted(), choosing_aside(driver):
        tuner.fit()
