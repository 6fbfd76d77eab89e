"""Ray Tune as it is used here: it asks the driver for trials, runs them, and says what came of them."""

from __future__ import annotations

import json
import math
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import tune
from ray.air.execution._internal import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.search import Searcher

from compress.errors import DiskError
from compress.store.bucket import absolute
from search.running.cluster import places
from search.running.driver import Driver, NotNow
from search.running.failures import DeviceError, GpuLost, out_of_memory
from search.running.interrupts import listen
from search.running.scheduler import Scheduler
from search.running.worker import Compression
from search.settings import Settings
from search.worker_path import folders

RETRIES = 2
"""Of a trial whose worker died, since its last points."""
RETRIES_ON_A_CLUSTER = 10
"""Nodes are lost there through no fault of the trial, the more so spot instances."""
WAITING = 8
"""Trials that wait for a place on a cluster that may grow: Ray's autoscaler starts nodes for what waits."""
COUNT_SECONDS = 1.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""Ray's errors are painted for a terminal."""


class _Searcher(Searcher):
    """Tune asks here what to run. It has a limit of its own on trials at once, but one that is fixed at the start."""

    def __init__(self, driver: Driver, settings: Settings, shared: dict[str, Any]) -> None:
        super().__init__(metric="done", mode="max")
        self.driver, self.settings, self.shared = driver, settings, shared
        self.live: set[str] = set()
        self.places, self.counted = 0, -math.inf

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles all it is given; there is nothing here to bring back

    def suggest(self, trial_id: str) -> Any:
        if len(self.live) >= self._room():
            return None
        found: list[dict[str, Any] | None] = []
        try:
            self.driver.guard(lambda: found.append(self.driver.next()))
        except NotNow:
            return None
        if not found or found[0] is None:
            return str(Searcher.FINISHED)
        self.live.add(trial_id)
        return {**self.shared, **found[0]}

    def _room(self) -> int:
        """How many trials may be with Tune as the cluster is now."""
        now = time.monotonic()
        if now - self.counted >= COUNT_SECONDS:
            first = self.counted < 0
            self.places, self.counted = places(self.settings), now
            if first and not self.places:
                asked = f"{self.settings.cpus_per_trial} CPU and {self.settings.gpus_per_trial or 0:g} GPU"
                self.driver.notes.append(f"no node has room for a trial of {asked} yet; trials wait for one")
        return max(1, self.places) + (WAITING if self.settings.address else 0)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """There is room for another one; the callback below hears how it ended."""
        self.live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing to save."""


class _Callback(tune.Callback):
    """Tune says here what came of it."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.since: dict[str, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def setup(self, *_: Any, **__: Any) -> None:
        """Tune hears Ctrl-C alone by now, and takes a second one for leave to stop where it stands."""
        ends: Any = signal.getsignal(signal.SIGINT)
        if callable(ends):
            listen(ends)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """A worker counts its own time; what goes before is handed to the next one."""
        self.since[trial.trial_id] = time.monotonic()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Of a trial's last result; the others are for the scheduler to hear."""
        if result.keys() & {"stuck", "unfit", "failed"}:
            self.hear(int(trial.config["trial"]), result)

    def hear(self, number: int, result: dict[str, Any]) -> bool:
        """A worker has points, or is done with its trial; whether there is one that was not heard of before."""
        state = self.driver.study.trials[number]
        before = len(state.points)
        self.driver.guard(lambda: self._heard(number, result))
        return len(state.points) > before

    def _heard(self, number: int, result: dict[str, Any]) -> None:
        self.driver.notes += json.loads(result.get("notes", "[]"))
        points, spent = json.loads(result["points"]), json.loads(result["spent"])
        self.driver.guard(lambda: self.driver.add(number, points, spent))
        if "stuck" in result:
            self.driver.give_up(DiskError(result["stuck"]))
        elif "unfit" in result:
            self.driver.give_up(DeviceError(result["unfit"]))
        elif "failed" in result:
            status: Any = "failed" if result["failed"] else "complete"
            self.driver.guard(
                lambda: self.driver.end(number, status, result["failed"], result["worked_seconds"], spent)
            )

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        now = time.monotonic()
        trial.config["used"] = trial.config.get("used", 0.0) + now - self.since.pop(trial.trial_id, now)
        lost = _lost(_last_error(trial.error_file)) or "its worker died"
        self.driver.notes.append(f"trial {trial.config['trial']}: {lost}; another goes on from what is stored")
        self.driver.heard()

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        self.driver.guard(self.driver.look_ahead)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        number = int(trial.config["trial"])
        reason = _reason(trial.error_file, trial.num_failures)  # `get_error` looks where nothing is stored
        now = time.monotonic()
        seconds = now - self.driver.started.get(number, now)
        self.driver.guard(lambda: self.driver.end(number, "failed", reason, seconds, {}))


def _reason(file: str | None, deaths: int) -> str:
    """Why a trial's worker is gone for good, in a sentence, from the file in which Tune keeps its errors."""
    last = _last_error(file)
    lines = last.strip().splitlines()[1:]
    if "low on memory" in last:
        return out_of_memory("Ray ended its worker, for the machine's memory was full", 0.0)
    if _lost(last):
        return f"{_lost(last)}; so it did {deaths} times"
    if not lines or "actor" in lines[0]:
        return f"its worker died {deaths} times" + (f": {lines[0]}" if lines else "")
    return f"its worker failed ({lines[-1]})"


def _last_error(file: str | None) -> str:
    """What was last written into the file in which Tune keeps a trial's errors; "" without one."""
    there = file is not None and Path(file).exists()
    text = Path(file or "").read_text(encoding="utf-8", errors="replace") if there else ""
    return COLOUR.sub("", text).rpartition("Failure # ")[2]


def _lost(error: str) -> str:
    """The sentence of a worker that lost its GPU; "" of one that ended otherwise."""
    _, found, rest = error.rpartition(f"{GpuLost.__name__}: ")
    return rest.splitlines()[0] if found else ""


@contextmanager
def _surviving_evictions() -> Iterator[None]:
    """A worker that Ray ends for the machine's memory is one that died: Tune itself would end the whole run."""
    ours = RayActorManager._actor_task_failed

    def failed(self: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            exception = RayActorError(error_msg=str(exception))
        ours(self, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = failed  # type: ignore[method-assign]
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = ours  # type: ignore[method-assign]


class _Stopper(tune.Stopper):
    """Ends the whole search at its deadline, or when the driver cannot write any more."""

    def __init__(self, driver: Driver, seconds: float | None) -> None:
        self.driver = driver
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        late = self.deadline is not None and time.monotonic() > self.deadline
        return late or self.driver.failure is not None


def run_trials(settings: Settings, driver: Driver, scratch: Path) -> None:
    """Run what the driver hands out until it has nothing left; Tune's own files go below `scratch`."""
    gpus = settings.gpus_per_trial or 0.0
    shared = {
        "store": absolute(driver.study.store),
        "data": str(settings.data.resolve()) if settings.data else None,
        "fingerprint": driver.task.fingerprint,
        "threads": settings.cpus_per_trial,
        "gpus": gpus,
        "limit": settings.trial_limit_s,
        "folders": folders(),
    }
    resources = {"cpu": settings.cpus_per_trial, "gpu": gpus}
    left = len(driver.queue) + max(0, settings.trials - driver.originals)
    ear = _Callback(driver)
    tuner = tune.Tuner(
        tune.with_resources(Compression, resources),
        tune_config=tune.TuneConfig(
            search_alg=_Searcher(driver, settings, shared),
            scheduler=Scheduler(ear.hear, driver.has_ended),
            num_samples=left if settings.seeds == 1 else -1,
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
    with _surviving_evictions():
        tuner.fit()
