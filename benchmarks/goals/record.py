"""Results on the disk, a line each: what was carried out before is read, not trained again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from compress.data.tasks import Task
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.store.folder import Store
from compress.training.loop import TrainingError

RECORDED = Path(__file__).parents[1] / "recorded" / "goals.jsonl"
KEPT = ("score_validation", "score_test", "params", "macs", "metrics")
"""Figures of a point that are written."""


class Missing(LookupError):
    """A result that is not in the file, where nothing is to be trained."""


@dataclass(frozen=True)
class Result:
    """The points of a recipe on a task, () if the training broke: sparsity and the figures `KEPT` of each."""

    label: str
    seed: int
    points: tuple[tuple[float, Mapping[str, Any]], ...]

    def value(self, name: str) -> float | None:
        """Return a metric of the last point, such as `mae_test`; None if the training broke."""
        return float(self.points[-1][1]["metrics"][name]) if self.points else None


@dataclass
class Record:
    """A file of results, a line a result, and the home of the store in which recipes share their beginnings.

    Without a `home` nothing is trained: `Missing` is raised for a result that is not in the file.
    """

    file: Path
    home: Path | None = None
    _lines: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.file.exists():
            self._lines = {found["key"]: found for found in map(json.loads, self.file.read_text().splitlines())}

    @property
    def machines(self) -> list[str]:
        """Return the machines and dates of all lines."""
        return list(dict.fromkeys(found["machine"] for found in self._lines.values()))

    def carried_out(self, task: Task, label: str, recipe: Recipe) -> Result:
        """Return the result of the recipe: from the file, else carried out now and added to the file."""
        found = self.once(f"{task.fingerprint} {recipe.id}", lambda home: _carry_out(home, task, label, recipe))
        return Result(label, recipe.seed, tuple((sparsity, figures) for sparsity, figures in found["points"]))

    def once(self, key: str, make: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
        """Return the line with the key: from the file, else made now, below the home, and added to the file."""
        if key not in self._lines:
            if self.home is None:
                raise Missing(key)
            self._lines[key] = {"key": key, **make(self.home), "machine": machine()}
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as out:
                out.write(json.dumps(self._lines[key]) + "\n")
        found: dict[str, Any] = self._lines[key]
        return found


def _carry_out(home: Path, task: Task, label: str, recipe: Recipe) -> dict[str, Any]:
    """Return the line of a recipe; `broken` says why a training broke, `seconds` are of the processor."""
    print(f"{task.name}: {label}, seed {recipe.seed}", file=sys.stderr, flush=True)
    before, points, broken = time.process_time(), [], ""
    try:
        for made in Pipeline(task, Store(home / "store")).run(recipe):
            points.append([made.sparsity, {name: getattr(made.measured, name) for name in KEPT}])
    except TrainingError as error:
        points, broken = [], str(error)
    seconds = round(time.process_time() - before, 2)
    about = {"task": task.name, "label": label, "seed": recipe.seed, "broken": broken}
    return {**about, "points": points, "seconds": seconds}
