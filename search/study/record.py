"""Trials and points of a study as plain frozen values, with JSON both ways; imports nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from compress.figures import by_split, costs
from compress.measurement import Measurement
from compress.quality import ACCURACY, Quality

LATENCY_MODEL = "latency"
"""Entry of a header: what foresees the latencies of the study's points, the JSON form of a `LatencyModel`."""
Choice = str | int | float | bool | None
"""A value that the space asked Optuna for."""
Status = Literal["complete", "stopped", "failed", "running"]
Better = Literal["higher", "lower"]

JsonDict = dict[str, object]


@dataclass(frozen=True, slots=True)
class Point:
    """A measured, stored, reloadable model of a trial's curve.

    `id` is the key of the model's entry in the store, `sparsity` in [0, 1) the share of prunable weights removed,
    `path` the entry's folder. `variant` ("float" or "int8") tells apart the curves of a trial. `family` is the id of
    the same model made with the study's own seed, "" for that model. `quality` is the study's.
    """

    id: str
    trial: int
    recipe: Mapping[str, object]
    sparsity: float
    variant: str
    measured: Measurement
    path: str
    family: str = ""
    quality: Quality = ACCURACY

    def as_json(self) -> JsonDict:
        """Return the form printed by `paretune front --json`; the quality is under its own name, in its own unit."""
        m = self.measured
        return {
            "id": self.id,
            "trial": self.trial,
            "recipe": dict(self.recipe),
            "sparsity": self.sparsity,
            "variant": self.variant,
            self.quality.name: by_split(m, self.quality),
            **({"metrics": dict(m.metrics)} if m.metrics else {}),
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
    """A recipe carried out, or in progress.

    `choices` are the values the space asked Optuna for, `reason` says why a trial failed or stopped ("" otherwise),
    `seconds` is the worker's wall time, `spent` divides the seconds by purpose (train, measure, store, wait ...).
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
        """Return the form printed by `paretune trials --json`."""
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
    """Read back a measurement written by `asdict`; TypeError for an unknown or missing field."""
    return Measurement.from_json(record)


def measurement_as_json(measured: Measurement) -> JsonDict:
    """Return all recorded figures, by name."""
    return measured.as_json()


def point_event(key: str, sparsity: float, variant: str, measured: Any) -> dict[str, Any]:
    """Return a point's form in the ledger and in reports of workers; the path is relative to the store."""
    return {
        "id": key,
        "sparsity": sparsity,
        "variant": variant,
        "measured": measurement_as_json(measured),
        "path": f"{key[:2]}/{key}",
    }


@dataclass(frozen=True)
class StudyRecord:
    """Everything known of a study, as read from its ledger.

    `reference_point` holds a score of the `quality`, 0 for accuracy and otherwise the best constant answer's, and the
    costs of the space's unpruned teacher, by objective name (every cost of `compress.figures.COSTS`). `trials` come in
    the order of their asking; trial 0 is the plain teacher. `store` is the folder or URL of the models.
    `scale` is the scale of the space, None for a space of one scale.
    `training` and `recovery` are the settings the study gave its trainings from scratch and its recoveries, by field.
    `metrics` has the better direction of metrics measured beside the quality, by name; studies of earlier versions
    recorded none.
    `header` is the study's own event in the ledger: settings, data and versions; studies of earlier versions recorded
    less. `timed` are the ids of the points whose latency was measured alone on the study's target, and is not foreseen.
    """

    name: str
    task: str
    space: str
    objectives: tuple[str, ...]
    reference_point: Mapping[str, float]
    trials: tuple[TrialRecord, ...]
    store: str = ""
    quality: Quality = ACCURACY
    scale: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    recovery: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Better] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    timed: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        """Return the target that latencies are of, "" where they were measured in the trials."""
        return str(self.header.get(LATENCY_MODEL, {}).get("target", ""))

    @property
    def space_said(self) -> str:
        """Return the space with its scale, for people."""
        return self.space if self.scale is None else f"{self.space} at the scale {self.scale}"

    @property
    def settings_said(self) -> str:
        """Return the settings of trainings in words, "" for those of the space."""
        from spaces.study_training import in_words

        parts = {"training": self.training, "recovery": self.recovery}
        return "; ".join(f"{who}: {in_words(values)}" for who, values in parts.items() if values)

    @property
    def points(self) -> list[Point]:
        """Return every measured point once, trial by trial."""
        seen: dict[str, Point] = {}
        for trial in self.trials:
            for point in trial.points:
                seen.setdefault(point.id, point)
        return list(seen.values())

    @property
    def teacher(self) -> Point | None:
        """Return the unpruned teacher's point, the base of shares such as `10%`; None until measured."""
        points = self.trials[0].points if self.trials else ()
        return points[0] if points else None
