"""A task of few images, `first:500:cifar10`: the task's own data, cut short, to try a study before it is run.

Each split has at most so many images, drawn once and always the same. Mean, deviation and goal stay the task's own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.utils.data import Subset

from compress.data.identity import fingerprint
from compress.data.splits import DataError, Split, StreamSplit, TensorSplit

if TYPE_CHECKING:
    from compress.data.tasks import Task

PREFIX = "first:"
LEAST = 16
"""Fewest images of a split."""
_NAME = re.compile(rf"{PREFIX}(\d{{1,9}}):(.+)", re.DOTALL)


def named(task: str, count: int) -> str:
    """Return the name of `task` with at most `count` images a split."""
    return f"{PREFIX}{count}:{task}"


def split_name(name: str) -> tuple[int | None, str]:
    """Return the count of images and the whole task's name; None for a whole task.

    DataError for a count that cannot be read or is too small.
    """
    if not name.startswith(PREFIX):
        return None, name
    found = _NAME.fullmatch(name)
    if found is None or int(found[1]) < LEAST:
        raise DataError(f"task: {PREFIX}COUNT:TASK must have a count of at least {LEAST} and a task, got {name!r}")
    return int(found[1]), found[2]


def few(task: Task, count: int) -> Task:
    """Return the task with at most `count` images a split, under the name and fingerprint of its own."""
    train, validation, test = (_part(one, count) for one in (task.train, task.validation, task.test))
    mark = fingerprint(f"first {count} of {task.fingerprint}", [])
    return replace(task, name=named(task.name, count), fingerprint=mark, train=train, validation=validation, test=test)


def _part(split: Split, count: int) -> Split:
    if len(split) <= count:
        return split
    kept = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))[:count].sort().values
    targets = split.targets[kept]
    if isinstance(split, TensorSplit):
        return replace(split, images=split.images[kept], targets=targets)
    assert isinstance(split, StreamSplit)
    return replace(split, files=Subset(split.files, kept.tolist()), targets=targets)
