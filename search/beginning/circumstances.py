"""Versions and data that a new study begins with, for the header of its ledger."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from compress.data.tasks import Task

LIBRARIES = ("paretune", "torch", "ray", "optuna", "mlflow")
"""Libraries whose versions a study records."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries installed, by name."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a folder of sources
            continue
    return found


def data_of(task: Task) -> dict[str, object]:
    """Return the numbers of images of each split, and the shape of an image."""
    splits = {"train": task.train, "validation": task.validation, "test": task.test}
    return {**{name: len(split) for name, split in splits.items()}, "shape": list(task.shape)}
