"""A study as two tables: one row a point, one row a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from search.front import front
from search.record import Choice, Point, StudyRecord, TrialRecord

CHOICE = "choice."  # a prefix, since a space may ask for a "sparsity" or a "seed" of its own
ABSENT = "none"

_POINT = (
    *("id", "trial", "status", "recipe", "sparsity", "variant", "accuracy_validation", "accuracy_test"),
    *("params", "nonzero_params", "macs", "flops", "size_bytes", "compressed_bytes"),
    *("latency_ms", "latency_p95_ms", "seconds", "is_teacher", "on_front"),
)
_TRIAL = ("id", "status", "reason", "recipe", "points", "seconds", "best_accuracy_validation")


def points_frame(study: StudyRecord) -> pd.DataFrame:
    """One row a point, once, under the first trial that has it; all columns stand in an empty study too.

    Accuracies and sparsity in [0, 1], the other figures in the units they are recorded in. A column
    `choice.NAME` holds what its trial chose, None where the trial was not asked. `recipe` is those choices
    in words, `on_front` says whether the point is on the front of all the study's objectives.
    """
    owners = {point.id: trial for trial in reversed(study.trials) for point in trial.points}
    members = {point.id for point in front(study.points, study.objectives)}
    names = choice_names(study)
    rows = [
        {**_row(point, owners[point.id], study), "on_front": point.id in members}
        | {CHOICE + name: owners[point.id].choices.get(name) for name in names}
        for point in study.points
    ]
    return pd.DataFrame(rows, columns=[*_POINT, *(CHOICE + name for name in names)])


def trials_frame(study: StudyRecord) -> pd.DataFrame:
    """One row a trial, in the order asked for; the best validation accuracy is NaN without a point."""
    rows: list[dict[str, object]] = [
        {
            "id": trial.id,
            "status": trial.status,
            "reason": trial.reason,
            "recipe": summary(trial.choices),
            "points": len(trial.points),
            "seconds": trial.seconds,
            "best_accuracy_validation": max(
                (point.measured.accuracy_validation for point in trial.points), default=math.nan
            ),
        }
        | {CHOICE + name: trial.choices.get(name) for name in choice_names(study)}
        for trial in study.trials
    ]
    return pd.DataFrame(rows, columns=[*_TRIAL, *(CHOICE + name for name in choice_names(study))])


def choice_names(study: StudyRecord) -> list[str]:
    """The names of all choices that any trial made, in the order they first came up."""
    return list(dict.fromkeys(name for trial in study.trials for name in trial.choices))


def summary(choices: Mapping[str, Choice]) -> str:
    """Choices in words, such as `order prune, width 0.5, int8`; what was not done is left out."""
    words = (_word(name, choice) for name, choice in choices.items())
    return ", ".join(word for word in words if word)


def level(choice: Choice) -> str:
    """A choice as the name of a category; `none` for one that was not made."""
    if choice is None or (isinstance(choice, float) and math.isnan(choice)):
        return ABSENT
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return f"{choice:.3g}" if isinstance(choice, float) else str(choice)


def _word(name: str, choice: Choice) -> str:
    if choice is True:
        return name
    said = level(choice)
    return "" if choice is False or said == ABSENT else f"{name} {said}"


def _row(point: Point, trial: TrialRecord, study: StudyRecord) -> dict[str, object]:
    figures = asdict(point.measured)
    is_teacher = study.teacher is not None and point.id == study.teacher.id
    return {
        **figures,
        "flops": point.measured.flops,
        "id": point.id,
        "trial": trial.id,
        "status": trial.status,
        "recipe": "the unpruned teacher" if is_teacher else summary(trial.choices),
        "sparsity": point.sparsity,
        "variant": point.variant,
        "is_teacher": is_teacher,
    }
