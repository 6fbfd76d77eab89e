"""The series of a step: figures of its training by epoch, kept as JSON beside the step's entry.

Each file names the step before, so the series of a whole chain are found from the last model's key, also once models
are gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compress.errors import StoreError
from compress.plan import Step
from compress.training.series import Row

VERSION = 1


@dataclass(frozen=True)
class StepSeries:
    """The epochs of the training that made the model `key`, none for a step without training or a round taken back.

    `level` is the step's of its stage, a share or the number of a round. `parent` is the key of the step before, None
    for the first.
    """

    key: str
    stage: str
    level: float
    parent: str | None
    epochs: tuple[Row, ...]


def packed(step: Step, epochs: Sequence[Row]) -> bytes:
    """Return the file of a step."""
    parent = None if step.parent is None else step.parent.key
    form = {"version": VERSION, "stage": step.stage.name, "level": step.level, "parent": parent, "epochs": list(epochs)}
    return json.dumps(form).encode()


def unpacked(key: str, file: bytes) -> StepSeries:
    """Read back the file of the step `key`; StoreError for a damaged file or one of a newer version."""
    try:
        form: dict[str, Any] = json.loads(file)
        if form["version"] > VERSION:
            raise StoreError(f"series: of a newer version, {form['version']}; this one reads {VERSION}")
        epochs = tuple({str(name): float(value) for name, value in _mapping(row).items()} for row in form["epochs"])
        if any("epoch" not in row for row in epochs):
            raise ValueError("a row without epoch")
        parent = None if form["parent"] is None else str(form["parent"])
        return StepSeries(key, str(form["stage"]), float(form["level"]), parent, epochs)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"series: the file of {key} is damaged ({type(error).__name__}: {error})") from error


def _mapping(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise TypeError(f"a row must be an object, got {row!r}"[:200])
    return row


def chain(read: Callable[[str], bytes | None], key: str) -> list[StepSeries]:
    """Return the series of the steps up to the model `key`, in order; `read` returns a step's file, None without one.

    The chain begins after the last step without a file: earlier versions kept none. StoreError for a damaged file.
    """
    found: list[StepSeries] = []
    seen: set[str] = set()
    at: str | None = key
    while at is not None and at not in seen:
        seen.add(at)
        file = read(at)
        if file is None:
            break
        found.insert(0, unpacked(at, file))
        at = found[0].parent
    return found


def rows(steps: Sequence[StepSeries]) -> list[dict[str, float | str]]:
    """Return a row an epoch, in order: `step` from 0, `stage`, `level`, and the epoch's figures."""
    return [
        {"step": number, "stage": step.stage, "level": step.level, **row, "epoch": int(row["epoch"])}
        for number, step in enumerate(steps)
        for row in step.epochs
    ]
