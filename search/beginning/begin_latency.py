"""Latencies in a search: the target, the rates of its kernels, measured once a home, and the front timed at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from compress.data.tasks import Task
from compress.encoding import digest
from compress.errors import DiskError, ExportError, RecipeError, said
from compress.figures import LATENCY
from compress.latency.latency_model import LatencyModel, calibrated, machine_of
from compress.latency.target import Target, default_target
from compress.machine.resources import is_busy
from compress.measure import latency
from compress.models import Model
from search.selection.latencies import time_front
from search.settings import Settings
from search.study.record import LATENCY_MODEL
from search.study.study import Study

FOLDER = "latencies"
"""Folder of a home with the rates of targets."""
LATENCY_MS = 2000.0
"""Milliseconds for measuring the teacher's latency: a network of seconds per image is timed fewer than thirty times."""
TOLD = 160
"""Blocks between two words on how many were timed."""


def latency_model(header: Mapping[str, Any]) -> LatencyModel | None:
    """Return what foresees the latencies of a study; None for a study whose latencies are measured in its trials."""
    return LatencyModel.from_json(header[LATENCY_MODEL]) if LATENCY_MODEL in header else None


def latency_of(
    study: Study, settings: Settings, objectives: Sequence[str], say: Callable[[str], None]
) -> LatencyModel | None:
    """Return what foresees the latencies of a study that exists, or of a new study that is about latencies.

    A study is about latencies if it names a target, or if an objective or a bound is a latency. ValueError where the
    target cannot be run on this machine.
    """
    if study.exists:
        return latency_model(study.header)
    if settings.target is None and LATENCY not in objectives and settings.max_latency_ms is None:
        return None
    target = default_target() if settings.target is None else Target.parse(settings.target)
    return known(target, settings.home / FOLDER, say)


def known(target: Target, folder: Path, say: Callable[[str], None]) -> LatencyModel:
    """Return the latency model of a target on this machine: as kept in `folder`, else measured now and kept."""
    target.check_here()
    machine = machine_of(target)
    file = folder / f"{str(target).replace(':', '-')}-{digest(machine)[:8]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        found = LatencyModel.from_json(json.loads(file.read_text(encoding="utf-8")))
        if (found.target, found.machine) == (target, machine):
            return found
    busy = is_busy()
    how = "for this search alone: the machine is busy, so they come out too long" if busy else "once for this home"
    say(f"latency: blocks are timed on {target}, a minute or two, {how}")
    made = calibrated(target, lambda done, of: say(f"latency: {done} of {of} blocks") if done % TOLD == 0 else None)
    if not busy:
        with suppress(OSError):  # the next search measures again
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(made.as_json(), indent=1), encoding="utf-8")
    return made


def teachers_latency(model: Model, task: Task, foresees: LatencyModel | None) -> dict[str, float]:
    """Return the latency in ms of the untrained model, under its name: foreseen, else the median on this machine.

    A model that takes long is timed in fewer calls.
    """
    built, shape = model.build(task.outputs, task.channels).eval(), task.shape
    if foresees is not None:
        return {LATENCY: foresees.foresee(built, shape).ms}
    first = latency(built, shape, calls=1)[0]
    calls = max(1, min(30, int(LATENCY_MS / max(first, 1.0))))
    return {LATENCY: round(latency(built, shape, calls=calls)[0], 4)}


def time_the_front(study: Study, task: Task, say: Callable[[str], None]) -> None:
    """Time the models of the front on the study's target, once no trial is left; a failure loses no search."""
    target = study.record.target
    if not target or study.unfinished:
        return
    try:
        count = time_front(study, task)
    except DiskError:
        raise
    except Exception as error:  # of a library that runs the models, as many as there are targets
        known = isinstance(error, ExportError | RecipeError)
        say(f"latency: models of the front keep foreseen latencies: {error if known else said(error)}")
    else:
        if count:
            say(f"latency: {count} models of the front were measured alone on {target}")
