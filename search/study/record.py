"""What a study knows of its trials and points: plain frozen values, JSON both ways, nothing else imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from compress.figures import ACCURACY, accuracies, costs
from compress.measurement import Measurement

Choice = str | int | float | bool | None
"""A value the space asked for."""
Status = Literal["complete", "stopped", "failed", "running"]

JsonDict = dict[str, object]


@dataclass(frozen=True, slots=True)
class Point:
    """One measured, stored, reloadable model of a trial's curve.

    `id` is the key of its entry in the store, `sparsity` in [0, 1) the share of prunable weights removed, `variant`
    tells apart the curves of one trial ("float" or "int8"), `path` is the entry's folder. `family` is the id of the
    same model made with the study's own seed, "" for that one itself.
    """

    id: str
    trial: int
    recipe: Mapping[str, object]
    sparsity: float
    variant: str
    measured: Measurement
    path: str
    family: str = ""

    def as_json(self) -> JsonDict:
        """The form `paretune front --json` prints."""
        m = self.measured
        return {
            "id": self.id,
            "trial": self.trial,
            "recipe": dict(self.recipe),
            "sparsity": self.sparsity,
            "variant": self.variant,
            ACCURACY: accuracies(m),
            **costs(m),
            "latency_p95_ms": m.latency_p95_ms,
            "device": m.device,
            "threads": m.threads,
            "machine": m.machine,
            "seconds": m.seconds,
            "path": self.path,
        }


@dataclass(frozen=True)
class TrialRecord:
    """One recipe carried out, or on its way.

    `choices` are the values the space asked Optuna for, `reason` says why a trial failed or stopped ("" otherwise),
    `seconds` is the worker's wall time, `spent` splits it by what it went into (train, measure, store, wait ...).
    """

    id: int
    status: Status
    reason: str
    recipe: Mapping[str, object]
    choices: Mapping[str, Choice]
    points: tuple[Point, ...]
    seconds: float
    spent: Mapping[str, float]

    def as_json(self) -> JsonDict:
        """The form `paretune trials --json` prints."""
        return {
            "id": self.id,
            "status": self.status,
            "reason": self.reason,
            "recipe": dict(self.recipe),
            "choices": dict(self.choices),
            "points": [point.as_json() for point in self.points],
            "seconds": self.seconds,
            "spent": dict(self.spent),
        }


def measurement_from_json(record: Mapping[str, object]) -> Measurement:
    """Read back what `asdict(measurement)` wrote; an unknown or missing field is a TypeError."""
    return Measurement(**record)  # type: ignore[arg-type]


def measurement_as_json(measured: Measurement) -> JsonDict:
    """All recorded figures, by name."""
    return asdict(measured)


@dataclass(frozen=True)
class StudyRecord:
    """All that is known of one study, as read from its ledger.

    `reference_point` holds accuracy 0 and the costs of the space's unpruned teacher, by objective name (every cost of
    `compress.figures.COSTS`). `trials` come in the order they were asked for; trial 0 is the plain teacher. `store`
    is the folder or URL of its models.
    """

    name: str
    task: str
    space: str
    objectives: tuple[str, ...]
    reference_point: Mapping[str, float]
    trials: tuple[TrialRecord, ...]
    store: str = ""

    @property
    def points(self) -> list[Point]:
        """Every measured point, once, trial by trial."""
        seen: dict[str, Point] = {}
        for trial in self.trials:
            for point in trial.points:
                seen.setdefault(point.id, point)
        return list(seen.values())

    @property
    def teacher(self) -> Point | None:
        """The unpruned teacher's point, what shares such as `10%` are of; None until it is measured."""
        points = self.trials[0].points if self.trials else ()
        return points[0] if points else None
