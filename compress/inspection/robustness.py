"""The quality of a network on corrupted test images, beside its quality on the clean ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from compress.corruptions import SEVERITY, corrupted_test, corruptions
from compress.data.tasks import Task
from compress.measure import grade


def robustness(
    model: Callable[[Tensor], Tensor], task: Task, names: Sequence[str], severity: int = SEVERITY
) -> dict[str, Any]:
    """Measure a network on the test images, clean and under each of the named corruptions; ready for JSON.

    `clean` and the values of `corrupted`, by name, are of the task's `quality`, in its `unit` ("" for a share).
    RecipeError for an unknown name or an impossible severity, before any measurement.
    """
    splits = corrupted_test(task, corruptions(names, severity))
    quality = task.quality

    def value(split: Any) -> float:
        return quality.value(grade(model, task, split)[0])

    return {
        "quality": quality.name,
        "unit": quality.unit,
        "images": len(task.test),
        "severity": severity,
        "clean": value(task.test),
        "corrupted": {name: value(split) for name, split in splits.items()},
    }
