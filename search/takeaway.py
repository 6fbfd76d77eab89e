"""From a point to something that can be shipped: export, then prove it in a new process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compress.errors import StoreError
from compress.export import export
from compress.remote import open_store
from compress.store import Entry
from compress.tasks import load_task
from search.record import Point, StudyRecord

CHECKED = ("params", "nonzero_params", "macs", "size_bytes")


class Mismatch(RuntimeError):
    """An export that is not what the record claims; nothing was registered."""


def take(
    point: Point, study: StudyRecord, home: Path, folder: Path, budget: Mapping[str, str], data: Path | None
) -> Any:
    """Export a point into `folder` and return what a new process measured of it.

    ValueError when the point's model is gone or damaged, StoreError when the folder is in use, Mismatch when a
    figure differs from the record.
    """
    entry = stored(point, study)
    task = load_task(study.task, data, cache_dir=home / "store" / "data")
    card = {
        "study": study.name,
        "task": study.task,
        "budget": dict(budget),
        "point": {**point.as_json(), "path": None},
        "made_from": dict(entry.made_from),
    }
    export(entry.files(), task, folder, card)
    fresh = remeasure(folder, study.task, data)
    wrong = differences(point, fresh)
    if wrong:
        raise Mismatch(f"select: the export in {folder} is not what was recorded: {'; '.join(wrong)}")
    return fresh


def stored(point: Point, study: StudyRecord) -> Entry:
    """The point's model; ValueError when it is gone, damaged, or a newer version's."""
    try:
        entry = open_store(study.store).get(point.id)
    except StoreError as error:
        raise ValueError(f"select: {error}") from error
    if entry is None:
        raise ValueError(
            f"select: the model of point {point.id} is not in the store any more; "
            f"`paretune search --name {study.name} --resume` does not bring it back, a new search does"
        )
    return entry


def remeasure(folder: Path, task: str, data: Path | None) -> Any:
    """Measure an export in a process that knows nothing but its files; Mismatch when that process fails."""
    command = [sys.executable, "-m", "paretune", "evaluate", str(folder), "--task", task, "--json"]
    if data is not None:
        command += ["--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Mismatch(f"select: the export in {folder} does not load again: {done.stderr.strip()}")
    return json.loads(done.stdout)


def differences(point: Point, fresh: Mapping[str, Any]) -> list[str]:
    """Sentences on every recorded figure that a fresh measurement does not give."""
    recorded = point.as_json()
    pairs = {name: (recorded[name], fresh[name]) for name in CHECKED}
    accuracy: Any = recorded["accuracy"]
    for split in ("validation", "test"):
        pairs[f"{split} accuracy"] = (accuracy[split], fresh["accuracy"][split])
    found = [f"{name} recorded {old}, measured {new}" for name, (old, new) in pairs.items() if old != new]
    if fresh["program"]["agreement"] < 1.0:
        found.append(
            f"the exported program agrees on {fresh['program']['agreement']:.4f} of the test images, not on all"
        )
    return found
