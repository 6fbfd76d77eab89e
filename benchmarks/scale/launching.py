"""What a trial costs on the real way through Ray: the search's own Tune, driver, ledger, mirror and worker steps.

Only the pipeline in the worker stands aside: points are made up, after a pause or at once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from benchmarks.bars import Row
from benchmarks.scale.idle import POINTS, TASK, Nothing, Second
from benchmarks.scale.replay import SPACE, ByChance, begun, silent
from dashboards import report
from search.running import tune_loop
from search.running.cluster import scratch_folder, started
from search.sampling.optuna_study import AUTO, OptunaStudy
from search.settings import Settings
from search.study.ledger import Ledger
from search.tracking.mirror import Mirror

CORES = 2


def run(
    home: Path, name: str, worker: type[Nothing], optuna_study: Callable[..., OptunaStudy], trials: int
) -> tuple[float, float]:
    """Run such a study with the mirror on; wall seconds of Tune, and then until the mirror is complete."""
    settings = Settings(name, space=SPACE.name, task=TASK, trials=trials, home=home)
    driver = begun(home, name, optuna_study, trials)
    mirror = Mirror(settings, report)
    shown = silent(driver, trials)

    def heard() -> None:
        record = driver.study.record
        mirror.post()
        shown(record, driver)

    driver.heard = heard
    mirror.start()  # as a search does
    with scratch_folder() as scratch, started(settings, scratch), mock.patch.object(tune_loop, "Compression", worker):
        start = time.perf_counter()
        tune_loop.run_trials(settings, driver, scratch)
        wall = time.perf_counter() - start
        start = time.perf_counter()
        if driver.failure is not None:
            raise RuntimeError(f"the benchmark's search failed: {driver.failure}") from driver.failure
        if not mirror.close(600):
            raise RuntimeError(mirror.trouble)
    return wall, time.perf_counter() - start


def plain(what: str, trials: int) -> float:
    """What `benchmarks.search.plain_ray` measures, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.search.plain_ray", what, "--trials", str(trials)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (figure,) = json.loads(done.stdout.strip().splitlines()[-1]).values()
    return float(figure)


def busy_rows(home: Path, trials: int) -> Iterator[Row]:
    """Trials of a second on two workers."""
    wall, _ = run(home, "busy", Second, partial(OptunaStudy, sampler=AUTO), trials)
    ideal = trials / CORES
    times = [event["time"] for event in Ledger(home / "studies" / "busy").events() if event["event"] == "ended"]
    steady = (len(times) - CORES) / CORES / (times[-1] - times[CORES - 1])
    few = trials // 4  # each takes seconds
    other = plain("busy", few)
    yield Row(
        f"busy share of the cores, {trials} trials of 1 s on {CORES} workers, default settings",
        "at least 90 % from the first second, 95 % once the workers are up",
        f"{ideal / wall:.0%} of {wall:.1f} s, {steady:.0%} once the workers are up "
        f"(Ray with its OptunaSearch as it comes: {few / CORES / other:.0%} of {other:.1f} s for {few})",
        ideal / wall >= 0.9 and steady >= 0.95,
    )


def cost_rows(home: Path, trials: int) -> Iterator[Row]:
    """Trials that do nothing."""
    other = 1000 * plain("bare", trials)
    for name, optuna_study in (("at random", ByChance), ("of TPE", OptunaStudy)):
        study = f"cost-{name.split()[-1]}"
        _, after = run(home, study, Nothing, optuna_study, trials)
        times = [event["time"] for event in Ledger(home / "studies" / study).events() if event["event"] == "ended"]
        ours = 1000 * (times[-1] - times[0]) / (len(times) - 1)
        yield Row(
            f"a trial that does nothing, with ledger, MLflow mirror and a curve of {POINTS} points, "
            f"{trials} asked {name}",
            "at most twice bare Ray Tune with reused actors" if optuna_study is ByChance else "",
            f"{ours:.0f} ms, bare {other:.0f} ms ({ours / other:.1f} times); the mirror was done {after:.1f} s later",
            ours <= 2 * other if optuna_study is ByChance else None,
        )


def fixed_rows(home: Path) -> Iterator[Row]:
    """What a search costs beside its trials: a search of two small trainings, from the command to its end."""
    name, words = "fixed", ("--task", "digits", "--trials", str(CORES), "--epochs", "1")
    for which in ("new", "old"):
        command = [sys.executable, "-m", "paretune", "search", *words, "--name", f"{name}-{which}", "--home", str(home)]
        start = time.time()
        subprocess.run(command, capture_output=True, check=True)
        wall = time.time() - start
        events = list(Ledger(home / "studies" / f"{name}-{which}").events())
        ends = [event for event in events if event["event"] == "ended"]
        trials = max(event["time"] for event in ends) - min(event["time"] - event["seconds"] for event in ends)
        yield Row(
            f"a search beside its trials, in a home whose MLflow database is {which}",
            "at most 8 s",
            f"{wall - trials:.1f} s of {wall:.1f} s",
            wall - trials <= 8,
        )
