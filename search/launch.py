"""A search from beginning to end: Ray Tune runs the trials, the desk hands them out and writes them down.

Ray keeps no truth: its results are passed on as they come, its own files live in a temporary folder.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from search.tracking import ENVIRONMENT

for _name, _value in {
    **ENVIRONMENT,  # Tune imports MLflow, before anyone here does
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files a trial
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # its pickled state is never restored
    "TUNE_MAX_PENDING_TRIALS_PG": "16",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402  the variables above are read at import
from ray import tune  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

from compress.costs import foresee  # noqa: E402
from compress.measure import latency  # noqa: E402
from compress.tasks import Task, load_task  # noqa: E402
from search.desk import Desk  # noqa: E402
from search.evaluate import Compression  # noqa: E402
from search.front import DEFAULT_OBJECTIVES  # noqa: E402
from search.record import StudyRecord  # noqa: E402
from search.sampler import Proposer, open_storage  # noqa: E402
from search.settings import Settings  # noqa: E402
from search.study import Study, StudyError  # noqa: E402
from spaces import SPACES, Space  # noqa: E402

Listener = Callable[[StudyRecord, Desk], None]


class SearchFailed(RuntimeError):
    """The search could not go on; what was finished before is kept."""


def search(
    settings: Settings, heard: Listener = lambda record, desk: None, ready: Callable[[], None] = lambda: None
) -> StudyRecord:
    """Run or resume a study and return it as it stands at the end.

    `ready` is called once all that was asked for is known to be possible, before the study is begun or taken up;
    `heard` in the driver after every change. ValueError (StudyError, DataError ...) before anything is started;
    SearchFailed when the driver itself could not go on. Ctrl-C and SIGTERM end it early with everything kept.
    """
    space = SPACES[settings.space]
    task = load_task(settings.task, settings.data, cache_dir=settings.home / "store" / "data")
    check_study(Study(settings.home, settings.name), settings)
    with ExitStack() as held:
        study = _hold(settings, held)
        new = not study.exists
        objectives = tuple(settings.objectives if new else study.header["objectives"])
        storage = open_storage(settings.storage_url, study.folder)
        # a resumed sampler must not repeat the random numbers of its first asks
        proposer = Proposer(storage, settings.name, objectives, settings.seed + len(study.trials))
        proposer.check_ours(has_asked=bool(study.trials))
        reference = reference_point(space, task) if new else {}
        scratch = None
        if study.unfinished or len(study.trials) < settings.trials:
            scratch = held.enter_context(_scratch())
            held.enter_context(_ray(settings, scratch))
        ready()
        if new:
            asked = {"task": settings.task, "space": settings.space, "seed": settings.seed}
            study.begin(**asked, objectives=list(objectives), reference_point=reference)
        proposer.catch_up(study.record, {n: t.optuna for n, t in study.trials.items()})
        desk = Desk(study, proposer, space, task, settings.trials, study.header["seed"])
        desk.heard = lambda: heard(study.record, desk)
        try:
            if scratch is not None:
                _tune(settings, desk, scratch)
        finally:
            desk.guard(desk.close)
    if desk.failure is not None:
        raise SearchFailed(f"search {settings.name}: {type(desk.failure).__name__}: {desk.failure}") from desk.failure
    return study.record


def _hold(settings: Settings, held: ExitStack) -> Study:
    """The study, locked, as it stands now that nobody else writes; one that is never begun leaves nothing behind."""
    held.enter_context(Study(settings.home, settings.name).lock())
    study = Study(settings.home, settings.name)
    held.callback(study.forsake)
    check_study(study, settings)
    return study


def check_study(study: Study, settings: Settings) -> None:
    """StudyError unless the study may be begun, or resumed with these settings."""
    if study.exists and not settings.resume:
        raise StudyError(f"study {study.name}: exists already in {study.home}; add --resume or choose another --name")
    if settings.resume and not study.exists:
        raise StudyError(f"study {study.name}: there is none in {study.home} to resume")
    asked = {"space": settings.space, "task": settings.task}
    if settings.objectives != DEFAULT_OBJECTIVES:  # left out, they are the study's own
        asked["objectives"] = ",".join(settings.objectives)
    for what, got in asked.items() if study.exists else ():
        begun = study.header[what] if isinstance(study.header[what], str) else ",".join(study.header[what])
        if begun != got:
            raise StudyError(f"study {study.name}: was begun with {what} {begun!r}, got {got!r}")


def reference_point(space: Space, task: Task) -> dict[str, float]:
    """Accuracy 0 and the costs of the unpruned teacher; its latency is measured here and now, untrained."""
    teacher = foresee(space.baseline(task.name, 0), task)[0]
    model = space.teacher.build(len(task.classes), task.channels).eval()
    return {
        "accuracy": 0.0,
        "params": teacher.costs.params,
        "nonzero_params": teacher.costs.params,
        "macs": teacher.costs.macs,
        "flops": 2 * teacher.costs.macs,
        "size_bytes": teacher.size_bytes,
        "compressed_bytes": teacher.size_bytes,
        "latency_ms": round(latency(model, (task.channels, task.size, task.size))[0], 4),
    }


class _Source(Searcher):
    """Tune asks here what to run."""

    def __init__(self, desk: Desk, shared: dict[str, Any]) -> None:
        super().__init__(metric="done", mode="max")
        self.desk, self.shared = desk, shared

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles all it is given; there is nothing here to bring back

    def suggest(self, trial_id: str) -> Any:
        found: list[dict[str, Any] | None] = []
        self.desk.guard(lambda: found.append(self.desk.next()))
        if not found or found[0] is None:
            return str(Searcher.FINISHED)
        return {**self.shared, **found[0]}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The callback below hears it."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing to save."""


class _Ear(tune.Callback):
    """Tune says here what came of it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        number = int(trial.config["trial"])
        self.desk.notes += json.loads(result.get("notes", "[]"))
        points = json.loads(result["points"])
        self.desk.guard(lambda: self.desk.add(number, points))
        if "failed" in result:
            status: Any = "failed" if result["failed"] else "complete"
            spent = json.loads(result["spent"])
            self.desk.guard(lambda: self.desk.end(number, status, result["failed"], result["worked_seconds"], spent))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        number = int(trial.config["trial"])
        reason = str(trial.get_error() or "the worker died").strip().splitlines()[-1]
        seconds = time.monotonic() - self.desk.started.get(number, time.monotonic())
        self.desk.guard(lambda: self.desk.end(number, "failed", reason, seconds, {}))


class _End(tune.Stopper):
    """Ends the whole search at its deadline, or when the driver cannot write any more."""

    def __init__(self, desk: Desk, seconds: float | None) -> None:
        self.desk = desk
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        late = self.deadline is not None and time.monotonic() > self.deadline
        return late or self.desk.failure is not None


def _tune(settings: Settings, desk: Desk, scratch: Path) -> None:
    shared = {
        "store": str(desk.study.store.resolve()),
        "data": str(settings.data.resolve()) if settings.data else None,
        "threads": settings.cpus_per_trial,
    }
    resources = {"cpu": settings.cpus_per_trial, "gpu": settings.gpus_per_trial}
    left = len(desk.queue) + max(0, settings.trials - len(desk.study.trials))
    tuner = tune.Tuner(
        tune.with_resources(Compression, resources),
        tune_config=tune.TuneConfig(
            search_alg=_Source(desk, shared),
            num_samples=left,
            max_concurrent_trials=_places(resources),
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=str(scratch / "tune"),
            callbacks=[_Ear(desk)],
            stop=_End(desk, settings.time_budget_s),
            failure_config=tune.FailureConfig(max_failures=2),
            verbose=0,
        ),
    )
    tuner.fit()


def _places(resources: dict[str, float]) -> int:
    """How many trials fit on the cluster at once, at least 1."""
    have = ray.cluster_resources()  # type: ignore[no-untyped-call]
    fits = [have.get(name.upper(), 0) / need for name, need in resources.items() if need]
    return max(1, int(min(fits)))


@contextmanager
def _ray(settings: Settings, scratch: Path) -> Iterator[None]:
    """A Ray of our own, or a connection to the one at `address`; SIGTERM is treated as Ctrl-C meanwhile."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if settings.address is None:
        ray.init(num_cpus=os.cpu_count(), include_dashboard=False, _temp_dir=str(scratch / "ray"), **quiet)
    else:
        try:
            _knock(settings.address)
            ray.init(address=settings.address, **quiet)
        except (OSError, ValueError, RuntimeError, SystemExit) as error:
            raise ValueError(f"address: no Ray cluster answers at {settings.address!r}: {error}") from error
    before = signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        gc.collect()  # a Ray object that another thread's collector frees after the shutdown ends the process
        ray.shutdown()


def _knock(address: str) -> None:
    """OSError unless somebody listens at HOST:PORT: Ray itself tries for two minutes, then ends the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        with closing(socket.create_connection((host, int(port)), timeout=5)):
            pass


@contextmanager
def _scratch() -> Iterator[Path]:
    """A short-lived folder for Ray's own files; what a killed driver left behind goes too."""
    for left in Path(tempfile.gettempdir()).glob("paretune-*-*"):
        owner = left.name.split("-")[1]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"paretune-{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
