"""Measure again the latencies of the models that decide a selection: alone, one after another, in this process.

A trial's latency depends on its device and on the trials running beside. New figures are kept in `latencies.jsonl`,
beside the ledger, for the next selection on the same device. The ledger stays unchanged.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import moocore
import numpy as np

from compress.data.tasks import Task
from compress.errors import StoreError
from compress.figures import LATENCY, TIES
from compress.machine.resources import usable_cpus
from compress.measure import device_name, latency, machine_name, using_threads
from compress.store.bucket import open_store
from compress.store.folder import Entry
from compress.training.loop import training_device
from search.selection.budget import Budget
from search.selection.rated import rated_models
from search.study.front import Place, measured_on
from search.study.record import Point, StudyRecord
from search.study.seeds import Family, families

FILE = "latencies.jsonl"
FORM = "layer by layer"
"""Form of the timed network: the stored network unchanged, run layer by layer, not compiled."""
THREADS = 1
ROUNDS = 3
"""Rounds of timing over all models; a model's quickest median counts, for disturbance only slows a model down."""
MOST = 60
"""Greatest number of models timed for a selection."""
STEP = 1.25
"""Factor within which trials' latencies count as equal when the models to time are chosen."""
BUSY = 0.5
"""Load per CPU above which new figures are not kept."""


@dataclass(frozen=True)
class Timed:
    """The candidate points with new latencies, and a sentence on the latencies' origin."""

    points: list[Point]
    said: str


def timed(
    record: StudyRecord, folder: Path, budget: Budget, load: Callable[[], Task], *, robust: bool = False
) -> Timed:
    """Time the stored models that matter for a resolved budget; `load` returns the task.

    `folder` is the study's. ValueError where none of the models is stored and the trials' latencies, of several
    devices, cannot be compared.
    """
    wanted = deciding(record.points, budget, robust=robust)
    here = (device_name(training_device()), machine_name(), THREADS)
    known = {key: figures for key, figures in _kept(folder, here).items() if key in {point.id for point in wanted}}
    store = open_store(record.store)
    missing: dict[str, Entry] = {}
    for point in wanted:
        if point.id not in known:
            with suppress(StoreError):  # a damaged model counts as missing
                entry = store.get(point.id)
                missing |= {point.id: entry} if entry is not None else {}
    if missing:
        task, busy = load(), _is_busy()
        fresh = _time(missing, task.shape)
        known |= fresh
        if not busy:
            _keep(folder, here, fresh)
    if not known:
        return _as_in_trials(wanted)
    device, machine, threads = here
    points = [
        replace(
            point,
            measured=replace(
                point.measured,
                latency_ms=known[point.id][0],
                latency_p95_ms=known[point.id][1],
                device=device,
                machine=machine,
                threads=threads,
            ),
        )
        for point in wanted
        if point.id in known
    ]
    said = f"of {len(points)} models measured alone on {device} ({machine}), {threads} thread, batch 1, {FORM}"
    gone = len(wanted) - len(points)
    return Timed(points, said + (f"; {gone} left out that are not in the store any more" if gone else ""))


def _as_in_trials(points: list[Point]) -> Timed:
    places = {measured_on(point) for point in points}
    if len(places) > 1:
        names = " and ".join(sorted(f"{device} ({machine})" if machine else device for device, machine, _ in places))
        raise ValueError(
            f"select: latencies were measured on {names}, so they cannot be compared, and the models are not in the "
            "store any more to be measured again; choose by another figure"
        )
    return Timed(points, "as measured in the trials, beside others: the models are not in the store any more")


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


def _time(entries: Mapping[str, Entry], shape: tuple[int, int, int]) -> dict[str, tuple[float, float]]:
    """Return each model's median and 95th percentile in ms, from the round with the lowest median.

    Only one model is loaded at a time.
    """
    device, best = training_device(), dict[str, tuple[float, float]]()
    with using_threads(THREADS):
        for _ in range(ROUNDS):
            for key, entry in entries.items():
                with suppress(StoreError):
                    model = entry.files().module().eval().to(device)
                    best[key] = min(best.get(key, (math.inf, math.inf)), latency(model, shape, device=device))
    return best


def _is_busy() -> bool:
    try:
        return os.getloadavg()[0] > BUSY * usable_cpus()
    except OSError:
        return True


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


def _keep(folder: Path, here: Place, fresh: dict[str, tuple[float, float]]) -> None:
    """Write the figures beside the ledger; in a home without write access the next selection measures again."""
    where = dict(zip(("device", "machine", "threads"), here, strict=True))
    figures = [{"id": key, LATENCY: ms, "latency_p95_ms": p95} for key, (ms, p95) in fresh.items()]
    text = "".join(json.dumps({**one, **where, "batch": 1, "form": FORM}) + "\n" for one in figures)
    with suppress(OSError), (folder / FILE).open("a") as file:
        file.write(text)
