"""A search without Ray and training: a real driver, Optuna study and ledger hear made-up points."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

from optuna import Trial
from rich.console import Console

from benchmarks.scale.idle import TASK, made_up
from compress.costs import predict
from compress.data.tasks import load_task
from search.beginning.begin_or_resume import take_up
from search.progress.display import Progress
from search.running.driver import Driver
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.study.front import DEFAULT_OBJECTIVES
from search.study.record import StudyRecord
from search.study.study import Study
from spaces import SPACES

SPACE = SPACES["joint"]


class ByChance(OptunaStudy):
    """Asks at random, for figures that are not of a sampler."""

    def ask(self, *, at_random: bool = False) -> Trial:
        return super().ask(at_random=True)


def begun(home: Path, name: str, kind: Callable[..., OptunaStudy], trials: int) -> Driver:
    """The driver of a new study below `home`, as `search.beginning.launch` makes it."""
    task = load_task(TASK)
    study = Study(home, name)
    teacher = predict(SPACE.baseline(TASK, 0), task)[0]
    macs = teacher.costs.macs
    worst = {"accuracy": 0.0, "params": teacher.costs.params, "macs": macs, "flops": 2 * macs, "latency_ms": 1.0}
    header = {"objectives": list(DEFAULT_OBJECTIVES), "reference_point": worst}
    study.begin(task=TASK, space=SPACE.name, seed=0, **header)
    optuna_study = kind(open_storage(None, study.folder), name, DEFAULT_OBJECTIVES, 0)
    return take_up(study, optuna_study, SPACE, task, trials)


def silent(driver: Driver, trials: int) -> Progress:
    """What a search writes beside its work, into nothing."""
    shown = Progress(trials, Console(file=io.StringIO()))
    driver.heard = lambda: shown(driver.study.record, driver)
    return shown


def replay(driver: Driver, after: Callable[[StudyRecord], None] = lambda record: None) -> list[float]:
    """Run the driver until it has no more trials; seconds of wall time that each took the driver."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        job = driver.next()
        if job is None:
            return seconds
        middle = time.perf_counter()
        points = made_up(job, driver.task)
        again = time.perf_counter()
        driver.add(job.trial, points)
        driver.end(job.trial, "complete", "", 1.0, {"train": 0.9, "measure": 0.1})
        seconds.append(middle - start + time.perf_counter() - again)
        after(driver.study.record)
