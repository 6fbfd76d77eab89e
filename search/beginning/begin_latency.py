"""Foresee latencies in a search: the target, and the rates of its kernels, which are measured once a home."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from compress.encoding import digest
from compress.figures import LATENCY
from compress.latency.latency_model import LatencyModel, calibrated, machine_of
from compress.latency.target import Target, default_target
from compress.machine.resources import is_busy
from search.settings import Settings
from search.study.record import LATENCY_MODEL
from search.study.study import Study

FOLDER = "latencies"
"""Folder of a home with the rates of targets."""
TOLD = 160
"""Blocks between two words on how many were timed."""


def latency_model(header: Mapping[str, Any]) -> LatencyModel | None:
    """Return what foresees the latencies of a study; None for a study whose latencies are measured in its trials."""
    return LatencyModel.from_json(header[LATENCY_MODEL]) if LATENCY_MODEL in header else None


def latency_of(
    study: Study, settings: Settings, objectives: Sequence[str], said: Callable[[str], None]
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
    return known(target, settings.home / FOLDER, said)


def known(target: Target, folder: Path, said: Callable[[str], None]) -> LatencyModel:
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
    said(f"latency: blocks are timed on {target}, a minute or two, {how}")
    made = calibrated(target, lambda done, of: said(f"latency: {done} of {of} blocks") if done % TOLD == 0 else None)
    if not busy:
        with suppress(OSError):  # the next search measures again
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(made.as_json(), indent=1), encoding="utf-8")
    return made
