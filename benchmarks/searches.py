"""Searches over the recorded table, in simulated time: ours, with each of its ideas switched off, and the obvious ones.

Two workers, as on the machine the table was recorded on. A model takes the seconds that it was recorded with; the
teachers are there from the start. Ours is the real desk with its ledger, Optuna's journal, sampler and scheduler: only
the workers are simulated. Compute seconds are the workers' time, idle or not.
"""

from __future__ import annotations

import heapq
import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from benchmarks.grid import GRID, TASK
from benchmarks.halving import Floats, Halving
from benchmarks.recording import Row, recorded
from compress.plan import Step, plan
from compress.recipe import Recipe
from compress.stage import Quantize
from compress.tasks import Task, load_task
from search.desk import Desk
from search.front import DEFAULT_OBJECTIVES, GrowingFront, value
from search.record import Point
from search.sampler import Proposer, open_storage
from search.study import Study, point_event

WORKERS = 2
NOBODY: Any = None
"""Ray's scheduler asks nothing of Tune's controller."""
ENOUGH = 0.995
"""Of the best hypervolume: a search that has it ends."""
Course = list[tuple[float, float]]
"""Compute seconds and the hypervolume from then on."""


@cache
def task() -> Task:
    """Of the table."""
    return load_task(TASK)


@cache
def teacher() -> Point:
    """The unpruned teacher's point."""
    recipe = GRID.baseline(TASK, 0)
    sparsity, variant, measured = recorded()[recipe.id][0]
    return Point(plan(recipe, task().fingerprint)[0].key, 0, recipe.as_json(), sparsity, variant, measured, "")


@cache
def reference() -> dict[str, float]:
    """As of every study of the teacher's."""
    whole = {name: value(teacher(), name) for name in DEFAULT_OBJECTIVES if name != "accuracy"}
    return {"accuracy": 0.0, **whole, "latency_ms": teacher().measured.latency_ms, "macs": teacher().measured.macs}


@cache
def best() -> float:
    """The hypervolume of the whole table."""
    front = GrowingFront(DEFAULT_OBJECTIVES, reference())
    for rows in recorded().values():
        for row in rows:
            front.add(_point(row, "", 0, {}))
    return front.hypervolume


def _point(row: Row, key: str, trial: int, recipe: Mapping[str, Any]) -> Point:
    sparsity, variant, measured = row
    return Point(key, trial, recipe, sparsity, variant, measured, "")


@cache
def rows(recipe: Recipe) -> list[tuple[Step, Row]]:
    """The recipe's steps in the order they are made, and what was recorded of each."""
    if recipe.id in recorded():
        found = recorded()[recipe.id]
    else:
        whole = Recipe(
            recipe.task, recipe.student, (*recipe.stages, Quantize(_int8())), recipe.teacher, recipe.schooling, 0
        )
        found = recorded()[whole.id]
    of = {variant: iter([row for row in found if row[1] == variant]) for variant in ("float", "int8")}
    return [(step, next(of[step.variant])) for step in plan(recipe, task().fingerprint)]


@cache
def _int8() -> Any:
    from compress.quantize import QUANTIZERS

    return QUANTIZERS["int8"]()


@dataclass
class Work:
    """A trial on a worker: what is still to be made, in order; `shown` are the keys of those that become points."""

    trial: int
    steps: Iterator[tuple[Step, Row]]
    shown: frozenset[str]
    made: dict[str, float]
    current: tuple[Step, Row] | None = None
    level: int = 0

    def go_on(self, now: float) -> float | None:
        """When the next model is there; None when all are."""
        self.current = next(self.steps, None)
        if self.current is None:
            return None
        step, (_, _, measured) = self.current
        return max(now, self.made.setdefault(step.key, now + measured.seconds))


@dataclass
class Clock:
    """The workers' time, and the hypervolume of what has come so far."""

    front: GrowingFront = field(default_factory=lambda: GrowingFront(DEFAULT_OBJECTIVES, reference()))
    course: Course = field(default_factory=list)

    def take(self, now: float, row: Row) -> None:
        """A model is there."""
        if self.front.add(_point(row, "", 0, {})):
            self.course.append((WORKERS * now, self.front.hypervolume))


def run(
    begin: Callable[[], Work | None],
    heard: Callable[[Work, Step, Row], bool],
    over: Callable[[Work], None],
    seconds: float,
) -> Course:
    """Let the workers work until there is nothing left to find, or that much compute is spent.

    `begin` hands out a trial; `heard` is told of its points and says whether to go on; `over` when it is whole.
    """
    clock = Clock()
    clock.front.add(teacher())
    order = itertools.count()
    events: list[tuple[float, int, Work | None]] = [(0.0, next(order), None) for _ in range(WORKERS)]
    while events:
        now, _, work = heapq.heappop(events)
        if WORKERS * now > seconds or clock.front.hypervolume >= ENOUGH * best():
            break
        if work is not None and work.current is not None:
            step, row = work.current
            if step.key in work.shown:
                clock.take(now, row)
                if not heard(work, step, row):
                    work = None
        while True:
            if work is None:
                work = begin()
                if work is None:
                    break
            there = work.go_on(now)
            if there is not None:
                heapq.heappush(events, (there, next(order), work))
                break
            over(work)
            work = None
    return clock.course


@dataclass(frozen=True)
class Ours:
    """Our search; each switch turns one idea off, and `halving` stops trials by successive halving instead."""

    sampler: str = "auto"
    curves: bool = True
    shared: bool = True
    beginnings: bool = True
    tell_all: bool = True
    stops: bool = True
    halving: bool = False

    def __call__(self, seed: int, seconds: float, trials: int = 10_000) -> Course:
        """What came of it with this seed of the sampler; every training has the recorded one."""
        there = {teacher().id: -1.0}
        rule = Halving()
        with tempfile.TemporaryDirectory() as folder:
            desk = self._desk(Path(folder), seed, trials)

            def begin() -> Work | None:
                job = desk.next()
                if job is None:
                    return None
                trial = desk.study.trials[job["trial"]]
                recipe = Recipe.from_json(trial.recipe)
                made = there if self.shared else dict.fromkeys([teacher().id], -1.0)
                steps = rows(recipe)
                if not self.curves and trial.choices:
                    steps = needed(steps, trial.choices)
                    return Work(job["trial"], iter(steps), frozenset([steps[-1][0].key]), made)
                return Work(job["trial"], iter(steps), frozenset(step.key for step, _ in steps), made)

            def heard(work: Work, step: Step, row: Row) -> bool:
                desk.add(work.trial, [point_event(step.key, row[0], row[1], row[2])])
                if self.halving and step.variant == "float" and not rule.goes_on(work.level, *_scaled(row)):
                    desk.end(work.trial, "stopped", "halved", 0.0, {})
                work.level += step.variant == "float"
                return not desk.has_ended(work.trial)

            def over(work: Work) -> None:
                desk.end(work.trial, "complete", "", 0.0, {})

            return run(begin, heard, over, seconds)

    def _desk(self, home: Path, seed: int, trials: int) -> Desk:
        study = Study(home, "replayed")
        study.begin(
            task=TASK, space=GRID.name, seed=0, objectives=list(DEFAULT_OBJECTIVES), reference_point=reference()
        )
        told = Proposer if self.tell_all else _OnePoint
        proposer = told(open_storage(None, study.folder), "replayed", DEFAULT_OBJECTIVES, seed, self.sampler)
        space = GRID if self.beginnings else _BARE
        desk = Desk(study, proposer, space, task(), trials, 0, stops=self.stops)
        if desk.chooser is not None:
            desk.chooser.aim.seed = seed
        return desk


def _scaled(row: Row) -> tuple[float, Floats]:
    """Error, and costs as the hypervolume has them."""
    point = _point(row, "", 0, {})
    names = [name for name in DEFAULT_OBJECTIVES if name != "accuracy"]
    costs = [math.log1p(value(point, name)) / math.log1p(reference()[name]) for name in names]
    return value(point, "accuracy"), np.array(costs)


class _OnePoint(Proposer):
    """Tells the sampler of no other point than the one that was asked about."""

    def tell_point(self, number: int, point: Point) -> None:
        """Kept back."""


_BARE = type(GRID)(GRID.name, GRID.build, GRID.teacher, GRID.source)


def needed(steps: list[tuple[Step, Row]], choices: Mapping[str, Any]) -> list[tuple[Step, Row]]:
    """Of a curve what has to be made for the one point that is asked about, which comes last."""
    variant = "int8" if choices["int8"] else "float"
    there = [step for step, _ in steps if step.variant == variant]
    step: Step | None = min(there, key=lambda one: abs((one.sparsity or 0.0) - choices["sparsity"]))
    chain = set()
    while step is not None:
        chain.add(step.key)
        step = step.parent
    return [one for one in steps if one[0].key in chain]


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
            point = _point(row, step.key, work.trial, {})
            numbers[work.trial] = [value(point, name) for name in DEFAULT_OBJECTIVES]
            if not self.asha:
                return True
            levels[work.trial] += 1
            result = {"level": levels[work.trial], "accuracy": point.measured.accuracy_validation}
            stub: Any = SimpleNamespace(trial_id=work.trial)
            decided = scheduler.on_trial_result(NOBODY, stub, result)
            if decided == TrialScheduler.STOP:
                over(work)
                return False
            return True

        def over(work: Work) -> None:
            study.tell(work.trial, numbers[work.trial])

        return run(begin, heard, over, seconds)
