"""Searches over the recorded table: ours, with each of its ideas switched off, and the obvious ones.

Ours is the real driver with its ledger, Optuna's journal, sampler and scheduler: only the workers are simulated.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from benchmarks.search.grid import GRID, TASK
from benchmarks.search.halving import Halving
from benchmarks.search.recording import Row
from benchmarks.search.workers import Course, Work, needed, point, reference, rows, run, scaled, task, teacher
from compress.plan import Step
from compress.recipe import Recipe
from search.beginning.begin_or_resume import take_up
from search.running.driver import Driver
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.study.front import DEFAULT_OBJECTIVES, value
from search.study.record import Point, point_event
from search.study.study import Study

NOBODY: Any = None
"""Ray's scheduler asks nothing of Tune's controller."""


@dataclass(frozen=True)
class Ours:
    """Our search; each switch turns one idea off, and `halving` stops trials by successive halving instead."""

    sampler: str = "auto"
    curves: bool = True
    shared: bool = True
    beginnings: bool = True
    tell_all: bool = True
    early_stopping: bool = True
    halving: bool = False

    def __call__(self, seed: int, seconds: float, trials: int = 10_000) -> Course:
        """The result with a seed of the sampler; every training has the recorded one."""
        there = {teacher().id: -1.0}
        rule = Halving()
        with tempfile.TemporaryDirectory() as folder:
            driver = self._driver(Path(folder), seed, trials)

            def begin() -> Work | None:
                job = driver.next()
                if job is None:
                    return None
                trial = driver.study.trials[job.trial]
                recipe = Recipe.from_json(trial.recipe)
                made = there if self.shared else dict.fromkeys([teacher().id], -1.0)
                steps = rows(recipe)
                if not self.curves and trial.choices:
                    steps = needed(steps, trial.choices)
                    return Work(job.trial, iter(steps), frozenset([steps[-1][0].key]), made)
                return Work(job.trial, iter(steps), frozenset(step.key for step, _ in steps), made)

            def heard(work: Work, step: Step, row: Row) -> bool:
                driver.add(work.trial, [point_event(step.key, row[0], row[1], row[2])])
                if self.halving and step.variant == "float" and not rule.goes_on(work.level, *scaled(row)):
                    driver.end(work.trial, "stopped", "halved", 0.0, {})
                work.level += step.variant == "float"
                return not driver.has_ended(work.trial)

            def over(work: Work) -> None:
                driver.end(work.trial, "complete", "", 0.0, {})

            return run(begin, heard, over, seconds)

    def _driver(self, home: Path, seed: int, trials: int) -> Driver:
        study = Study(home, "replayed")
        study.begin(
            task=TASK, space=GRID.name, seed=0, objectives=list(DEFAULT_OBJECTIVES), reference_point=reference()
        )
        told = OptunaStudy if self.tell_all else _OnePoint
        optuna_study = told(open_storage(None, study.folder), "replayed", DEFAULT_OBJECTIVES, seed, self.sampler)
        space = GRID if self.beginnings else _BARE
        driver = take_up(study, optuna_study, space, task(), trials, early_stopping=self.early_stopping)
        if driver.auto is not None:
            driver.auto.acquisition.seed = seed
        return driver


class _OnePoint(OptunaStudy):
    """Tells the sampler of no other point than the one that was asked about."""

    def tell_point(self, number: int, point: Point) -> None:
        """Kept back."""


_BARE = replace(GRID, beginnings=())


@dataclass(frozen=True)
class Plain:
    """Optuna's ask and tell as Ray's searcher does them: a configuration a trial, trained from the teacher on.

    `asha` instead takes configurations by chance, reports every level of the curve and lets Ray's own scheduler stop
    those that are less accurate; all that is reported counts. `cached` keeps students.
    """

    sampler: Callable[[int], optuna.samplers.BaseSampler]
    cached: bool = False
    asha: bool = False

    def __call__(self, seed: int, seconds: float) -> Course:
        """What came of it."""
        study = optuna.create_study(directions=["minimize"] * len(DEFAULT_OBJECTIVES), sampler=self.sampler(seed))
        there = {teacher().id: -1.0}
        numbers: dict[int, list[float]] = {}
        scheduler = ASHAScheduler(time_attr="level", metric="accuracy", mode="max", max_t=9, grace_period=1)
        levels: dict[int, int] = {}

        def begin() -> Work | None:
            asked = study.ask()
            steps = rows(GRID.build(asked, TASK, 0))
            made = there if self.cached else {teacher().id: -1.0}
            if self.asha:
                levels[asked.number] = 0
                stub: Any = SimpleNamespace(trial_id=asked.number)
                scheduler.on_trial_add(NOBODY, stub)
                variant = "int8" if asked.params["int8"] else "float"
                shown = frozenset(step.key for step, _ in steps if step.variant == variant)
                return Work(asked.number, iter(steps), shown, made)
            steps = needed(steps, asked.params)
            return Work(asked.number, iter(steps), frozenset([steps[-1][0].key]), made)

        def heard(work: Work, step: Step, row: Row) -> bool:
            numbers[work.trial] = [value(point(row), name) for name in DEFAULT_OBJECTIVES]
            if not self.asha:
                return True
            levels[work.trial] += 1
            result = {"level": levels[work.trial], "accuracy": row[2].score_validation}
            stub: Any = SimpleNamespace(trial_id=work.trial)
            decided = scheduler.on_trial_result(NOBODY, stub, result)
            if decided == TrialScheduler.STOP:
                over(work)
                return False
            return True

        def over(work: Work) -> None:
            study.tell(work.trial, numbers[work.trial])

        return run(begin, heard, over, seconds)
