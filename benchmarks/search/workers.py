"""The recorded table as a search sees it, and workers in simulated time: a model takes its recorded seconds.

Two of them, as on the machine the table was recorded on; the teachers are there from the start. Compute seconds are the
workers' time, idle or not.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks.search.grid import GRID, TASK
from benchmarks.search.halving import Floats
from benchmarks.search.one_point import chain
from benchmarks.search.recording import Row, recorded
from compress.data.tasks import Task, load_task
from compress.plan import Step, plan
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stages import Quantize
from search.study.front import DEFAULT_OBJECTIVES, GrowingFront, value
from search.study.record import Point
from spaces.space import chosen

WORKERS = 2
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
            front.add(point(row))
    return front.hypervolume


def point(row: Row) -> Point:
    """With the figures of the row, and no place of its own."""
    sparsity, variant, measured = row
    return Point("", 0, {}, sparsity, variant, measured, "")


def scaled(row: Row) -> tuple[float, Floats]:
    """Error, and costs as the hypervolume has them."""
    names = [name for name in DEFAULT_OBJECTIVES if name != "accuracy"]
    costs = [math.log1p(value(point(row), name)) / math.log1p(reference()[name]) for name in names]
    return value(point(row), "accuracy"), np.array(costs)


@cache
def rows(recipe: Recipe) -> list[tuple[Step, Row]]:
    """The recipe's steps in the order they are made, and what was recorded of each."""
    if recipe.id in recorded():
        found = recorded()[recipe.id]
    else:
        found = recorded()[replace(recipe, stages=(*recipe.stages, Quantize(chosen(QUANTIZERS, "int8")))).id]
    of = {variant: iter([row for row in found if row[1] == variant]) for variant in ("float", "int8")}
    return [(step, next(of[step.variant])) for step in plan(recipe, task().fingerprint)]


def needed(steps: list[tuple[Step, Row]], choices: Mapping[str, Any]) -> list[tuple[Step, Row]]:
    """Of a curve what has to be made for the one point that is asked about, which comes last."""
    keys = {step.key for step in chain([step for step, _ in steps], choices)}
    return [one for one in steps if one[0].key in keys]


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
        if self.front.add(point(row)):
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
