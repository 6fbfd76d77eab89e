"""Made-up studies: every figure of a point follows from its accuracy and its params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compress.measurement import Measurement
from compress.quality import Quality
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


MAE = Quality("mae", 20.0, 0.0, 0.0, "degrees")
"""An error in degrees, of which lower is better: score .9 is 2 degrees."""
F1 = Quality("f1", 0.0, 1.0, 0.3)
"""A share that is no accuracy."""
PSNR = Quality("psnr", 10.0, 40.0, 0.0, "dB")
"""A figure with a unit, of which higher is better: score .9 is 37 dB."""


def by(quality: Quality, record: StudyRecord) -> StudyRecord:
    """The same scores as those of another quality, with R2 measured beside."""

    def told(found: Point) -> Point:
        beside = {"r2_test": found.measured.score_test, f"{quality.name}_test": 1.0}
        return replace(found, quality=quality, measured=replace(found.measured, metrics=beside))

    trials = tuple(replace(one, points=tuple(map(told, one.points))) for one in record.trials)
    objectives = tuple(quality.name if name == "accuracy" else name for name in record.objectives)
    reference = {quality.name: quality.constant, **record.reference_point}
    return replace(record, quality=quality, trials=trials, objectives=objectives, reference_point=reference)
