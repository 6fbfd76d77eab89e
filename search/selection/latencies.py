"""Measure the latencies of the models that decide, alone, one after another, in the form and place of a target.

A trial's latency is foreseen, or depends on the trials running beside. A search measures its front at the end, where it
has a target, into the ledger. A selection measures what it needs: new figures are kept in `latencies.jsonl`, beside the
ledger, for the next selection on the same target.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import moocore
import numpy as np

from compress.data.tasks import Task
from compress.errors import RecipeError, StoreError
from compress.export.graph import ExportFailed
from compress.figures import LATENCY, TIES
from compress.latency import forms
from compress.latency.latency_model import machine_of
from compress.latency.target import Target, default_target
from compress.machine.resources import is_busy
from compress.store.bucket import open_store
from search.selection.budget import Budget
from search.selection.rated import rated_models
from search.study.front import Place, measured_on
from search.study.record import LATENCY_MODEL, Point, StudyRecord
from search.study.seeds import Family, families, front_of
from search.study.study import Study

FILE = "latencies.jsonl"
MOST = 60
"""Greatest number of models timed for a selection."""
MOST_OF_FRONT = 300
"""Greatest number of models timed at the end of a search."""
STEP = 1.25
"""Factor within which trials' latencies count as equal when the models to time are chosen."""


@dataclass(frozen=True)
class Timed:
    """The candidate points with new latencies, the budget in numbers, and a sentence on the latencies' origin."""

    points: list[Point]
    budget: Budget
    said: str


def timed(
    record: StudyRecord,
    folder: Path,
    budget: Budget,
    load: Callable[[], Task],
    *,
    robust: bool = False,
    target: Target | None = None,
) -> Timed:
    """Time the stored models that matter for a budget, on `target`, the study's if None; `load` returns the task.

    `folder` is the study's. A bound that is a share of the teacher's latency is of the teacher on the target.
    ValueError where the target cannot be run here, and where none of the models is stored and the trials' latencies,
    of several devices, cannot be compared.
    """
    teacher, others = record.teacher, replace(budget, max_latency_ms=None).resolve(record.teacher)
    wanted = deciding(record.points, others, robust=robust)
    target = target or (Target.parse(record.target) if record.target else default_target())
    target.check_here()
    here = str(target), machine_of(target), target.threads
    asked = {point.id: point for point in (*wanted, *([teacher] if teacher else []))}
    known = {key: figures for key, figures in _kept(folder, here).items() if key in asked}
    known |= {
        key: (point.measured.latency_ms, point.measured.latency_p95_ms)
        for key, point in asked.items()
        if key in record.timed and measured_on(point) == here
    }
    missing = [point for key, point in asked.items() if key not in known]
    if missing:
        busy = is_busy()
        fresh = measured(record, missing, load, target)
        known |= fresh
        if not busy:
            _keep(folder, here, target, fresh)
    if not known and str(target) != record.target and record.target:
        raise ValueError(f"select: no model can be timed on {target}: none is in the store any more, or has the form")
    if not known:
        return _as_in_trials(wanted, budget.resolve(teacher))
    points = [_on(here, point, known[point.id]) for point in wanted if point.id in known]
    of_teacher = _on(here, teacher, known[teacher.id]) if teacher and teacher.id in known else None
    said = f"of {len(points)} models measured alone on {target} ({here[1]})"
    gone = len(wanted) - len(points)
    said += f"; {gone} left out that are not in the store, or lack the form" if gone else ""
    if of_teacher is None and budget.max_latency_ms is not None and budget.bounds["max_latency_ms"].is_share:
        raise ValueError(
            f"max-latency-ms: {budget.bounds['max_latency_ms']} is of the teacher, whose model is not in the store any "
            f"more to be timed on {target}; give milliseconds"
        )
    bound = replace(Budget(), max_latency_ms=budget.max_latency_ms).resolve(of_teacher).max_latency_ms
    return Timed(points, replace(others, max_latency_ms=bound), said)


def _on(here: Place, point: Point, latency: tuple[float, float]) -> Point:
    device, machine, threads = here
    where: dict[str, Any] = {"device": device, "machine": machine, "threads": threads}
    found = replace(point.measured, latency_ms=latency[0], latency_p95_ms=latency[1], **where)
    return replace(point, measured=found)


def time_front(study: Study, task: Task) -> int:
    """Time the models of a study's front, and its teacher, on its target, into the ledger; return their number.

    A measured latency may change the front, so the models that join are timed too, `MOST_OF_FRONT` models at most.
    ExportError or RecipeError where the target cannot be run here, or where this machine is not the one that the
    study's latencies are of.
    """
    target, tried = Target.parse(study.record.target), set[str]()
    target.check_here()
    of, here = study.header[LATENCY_MODEL]["machine"], machine_of(target)
    if of != here:
        raise RecipeError(f"target: the study's latencies are of {of}, this is {here}")
    while len(tried) < MOST_OF_FRONT:
        record = study.record
        best = [point for family in front_of(record.points, record.objectives) for point in family.points]
        wanted = [*best, *([record.teacher] if record.teacher else [])]
        missing = [point for point in wanted if point.id not in record.timed | tried]
        if not missing:
            break
        for point in missing[: MOST_OF_FRONT - len(tried)]:
            tried.add(point.id)
            study.time(measured(record, [point], lambda: task, target))
    return len(study.record.timed & tried)


def _as_in_trials(points: list[Point], budget: Budget) -> Timed:
    places = {measured_on(point) for point in points}
    if len(places) > 1:
        names = " and ".join(sorted(f"{device} ({machine})" if machine else device for device, machine, _ in places))
        raise ValueError(
            f"select: latencies were measured on {names}, so they cannot be compared, and the models are not in the "
            "store any more to be measured again; choose by another figure"
        )
    return Timed(points, budget, "as the study has them: the models are not in the store any more, or lack the form")


def deciding(points: Sequence[Point], budget: Budget, *, robust: bool = False) -> list[Point]:
    """Return the points that may be selected or mentioned.

    A point counts if not dominated among all points, or among the points within the other bounds. Accuracy, params,
    MACs, bytes and, roughly, the trials' latencies are compared. All seeds of a model are included.
    """
    others = replace(budget, max_latency_ms=None)
    found = families(points)
    fitting = [rated.family for rated in rated_models(found, others, robust=robust) if not rated.over]
    chosen = [*_unbeaten(fitting), *_unbeaten(found)]
    several = {family.points[0].id: family for family in chosen}
    return [point for family in [*several.values()][:MOST] for point in family.points]


def _unbeaten(found: Sequence[Family]) -> list[Family]:
    """Return the families that are not dominated, by falling accuracy."""
    if not found:
        return []
    rows = [_row(family.mean) for family in found]
    kept = moocore.is_nondominated(np.array(rows, dtype=float), keep_weakly=True)
    order = sorted(range(len(found)), key=lambda at: rows[at])
    return [found[at] for at in order if kept[at]]


def _row(point: Point) -> tuple[float, ...]:
    m = point.measured
    steps = math.log(m.latency_ms, STEP) // 1 if m.latency_ms > 0 else 0.0
    return (1 - m.score_validation, *(cost.value(m) for cost in TIES), steps)


def measured(
    record: StudyRecord, points: Sequence[Point], load: Callable[[], Task], target: Target
) -> dict[str, tuple[float, float]]:
    """Return median and 95th percentile in ms of the points' models, by id, alone on the target, one after another.

    `load` returns the task. Models that are gone, damaged or without the target's form are left out.
    """
    store, found = open_store(record.store), dict[str, tuple[float, float]]()
    shape = cache(lambda: load().shape)  # of the task alone if there is anything to time
    for key in dict.fromkeys(point.id for point in points):
        with suppress(StoreError, ExportFailed, RecipeError):
            entry = store.get(key)
            if entry is not None:
                run = forms.opened(entry.files().module().eval(), shape(), target)
                timing = forms.timed(run, target)
                found[key] = timing.median_ms, timing.p95_ms
    return found


def _kept(folder: Path, here: Place) -> dict[str, tuple[float, float]]:
    """Return the latencies measured earlier in the same place, the newest of each point; skip invalid lines."""
    found: dict[str, tuple[float, float]] = {}
    try:
        lines = (folder / FILE).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return found
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            one: dict[str, Any] = json.loads(line)
            figures = float(one[LATENCY]), float(one["latency_p95_ms"])
            if (one["device"], one["machine"], one["threads"]) == here and all(0 < ms < math.inf for ms in figures):
                found[str(one["id"])] = figures
    return found


def _keep(folder: Path, here: Place, target: Target, fresh: dict[str, tuple[float, float]]) -> None:
    """Write the figures beside the ledger; in a home without write access the next selection measures again."""
    where = dict(zip(("device", "machine", "threads"), here, strict=True))
    figures = [{"id": key, LATENCY: ms, "latency_p95_ms": p95} for key, (ms, p95) in fresh.items()]
    text = "".join(json.dumps({**one, **where, "batch": target.batch, "form": target.form}) + "\n" for one in figures)
    with suppress(OSError), (folder / FILE).open("a") as file:
        file.write(text)
