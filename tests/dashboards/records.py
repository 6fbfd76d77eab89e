"""Made-up studies: every figure of a point follows from its accuracy and its params."""

from __future__ import annotations

from collections.abc import Mapping

from compress.measurement import Measurement
from search.study.record import Choice, Point, Status, StudyRecord, TrialRecord


def point(
    trial: int, accuracy: float, params: int, *, sparsity: float = 0.0, variant: str = "float", family: str = ""
) -> Point:
    """Its test accuracy is a tenth below `accuracy`, that on validation; `family` is the id of the first seed's."""
    measured = Measurement(
        accuracy, accuracy - 0.1, params, params, 10 * params, 4 * params, params, 1.0, 1.0, "cpu", 1, 1.0
    )
    return Point(f"{trial}/{variant}/{sparsity}", trial, {}, sparsity, variant, measured, "", family)


def trial(
    number: int, *points: Point, choices: Mapping[str, Choice] | None = None, status: Status = "complete"
) -> TrialRecord:
    """A trial that took a second."""
    return TrialRecord(number, status, "", {}, choices or {}, points, 1.0, {})


def study(
    *trials: TrialRecord, objectives: tuple[str, ...] = ("accuracy", "params"), task: str = "digits"
) -> StudyRecord:
    """A study `s` of joint."""
    reference = {"accuracy": 0.0, "params": 1000.0, "flops": 20000.0}
    return StudyRecord("s", task, "joint", objectives, reference, trials)
