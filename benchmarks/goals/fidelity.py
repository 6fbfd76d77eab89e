"""The untouched network in a search has the figures that it has outside: task by a function, weights by NAME@FILE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import paretune
from benchmarks.bars import Row
from benchmarks.goals.cases import HEADS
from benchmarks.goals.outside import Outside, pose_outside, shapes_outside
from benchmarks.goals.record import Missing, Record

DRAWN = "shapes"
CLOSE = 1e-6
"""Largest difference of a figure."""
POSE_EPOCHS, SHAPE_EPOCHS, SHAPES = 25, 15, 300
TASK = """from benchmarks.goals.outside import {function}


def make():
    return {function}({given!r})
"""


@dataclass(frozen=True)
class Trial:
    """A network trained outside, and the means to search it: the function of its task, and of the network."""

    outside: Outside
    function: str
    given: Any
    network: str

    def write(self, home: Path) -> tuple[str, str]:
        """Write the task's function and the weights, and return the names of task and network for `paretune.search`."""
        home.mkdir(parents=True, exist_ok=True)
        task, weights = home / f"own_{self.function}.py", home / "weights.pt"
        task.write_text(TASK.format(function=self.function, given=self.given))
        torch.save(self.outside.network.state_dict(), weights)
        return f"{task}:make", f"benchmarks.goals.outside:{self.network}@{weights}"

    def search(self, home: Path) -> dict[str, float]:
        """Return all figures of the first trial of a search, the network without an epoch of training."""
        task, network = self.write(home)
        study = paretune.search("outside", task=task, students=(network,), trials=1, home=home / "runs")
        (trial,) = study.trials
        return dict(trial.points[0].measured.metrics)


def pose_trial(file: Path, epochs: int = POSE_EPOCHS) -> Trial:
    """Return the network of an `.npz` file of heads, R2 of each value."""
    torch.manual_seed(0)
    with np.load(file) as found:
        outside = pose_outside(found["images"], found["pose"], epochs)
    return Trial(outside, "pose_task", str(file.absolute()), "PoseNet")


def shapes_trial(count: int = SHAPES, epochs: int = SHAPE_EPOCHS) -> Trial:
    """Return the network of drawn shapes, mIoU."""
    torch.manual_seed(0)
    return Trial(shapes_outside(count, epochs), "shapes_task", count, "ShapeNet")


def results(record: Record, heads: Path | None) -> None:
    """Make the results that are not in the record; those of the heads only with their file."""
    if heads is not None:
        record.once(_key(HEADS), lambda home: measured(pose_trial(heads), home / HEADS))
    record.once(_key(DRAWN), lambda home: measured(shapes_trial(), home / DRAWN))


def recorded(record: Record) -> dict[str, Mapping[str, Mapping[str, float]]]:
    """Return the results in the record, by the name of the data."""
    found: dict[str, Mapping[str, Mapping[str, float]]] = {}
    for what in (HEADS, DRAWN):
        with suppress(Missing):
            found[what] = record.once(_key(what), lambda home: {})
    return found


def measured(trial: Trial, home: Path) -> dict[str, dict[str, float]]:
    """Return the outside figures, and those of a search under the same names."""
    found = trial.search(home)
    return {"outside": dict(trial.outside.figures), "inside": {name: found[name] for name in trial.outside.figures}}


def rows(what: str, result: Mapping[str, Mapping[str, float]]) -> Iterator[Row]:
    """Yield a row a figure, with the bar."""
    for name, wanted in result["outside"].items():
        got = result["inside"][name]
        told = f"{wanted:.7f} outside, {got:.7f} in the search, {abs(got - wanted):.1e} apart"
        yield Row(f"{what}: {name.replace('_', ' on ')}", f"at most {CLOSE:g} apart", told, abs(got - wanted) <= CLOSE)


def _key(what: str) -> str:
    return f"fidelity {what}"
