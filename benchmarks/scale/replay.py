"""A search without Ray and training: a real driver, Optuna study and ledger hear made-up points."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optuna import Trial
from rich.console import Console

from compress.costs import predict
from compress.data.tasks import Task, load_task
from compress.measurement import Measurement
from compress.plan import plan
from compress.recipe import Recipe
from search.beginning.begin_or_resume import take_up
from search.progress.display import Progress
from search.running.driver import Driver
from search.running.job import Job
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.study.front import DEFAULT_OBJECTIVES
from search.study.record import StudyRecord, point_event
from search.study.study import Study
from spaces import SPACES

TASK, SPACE = "digits", SPACES["joint"]
POINTS = 12


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


def made_up(job: Job, task: Task, count: int = POINTS) -> list[dict[str, Any]]:
    """A falling curve of that many points under the keys of the recipe's plan; the same figures under the same key."""
    keys = [step.key for step in plan(Recipe.from_json(job.recipe), task.fingerprint)]
    keys += [f"{job.trial:032d}{number:032d}" for number in range(len(keys), count)]
    draw = random.Random(keys[0])
    size, best = draw.randrange(2_000, 270_000), 0.5 + 0.5 * draw.random()
    points = []
    for number, key in enumerate(keys[:count]):
        draw = random.Random(key)
        sparsity = 0.95 * number / max(1, count - 1)
        params = int(size * (1 - sparsity)) + 10
        accuracy = max(0.1, best * (1 - sparsity ** (2 + 4 * draw.random())))
        figures = Measurement(
            score_validation=accuracy,
            score_test=accuracy,
            params=params,
            nonzero_params=params,
            macs=params * draw.randrange(5, 50),
            size_bytes=4 * params,
            compressed_bytes=3 * params,
            latency_ms=0.2,
            latency_p95_ms=0.3,
            device="none",
            threads=1,
            seconds=0.1,
        )
        points.append(point_event(key, sparsity, "float", figures))
    return points


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
