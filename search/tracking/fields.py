"""A study in MLflow's words: which tags, params and metrics stand for it. Pure, MLflow unseen.

A trial's curves are metrics named after their variant, `float/params` or `int8/params`, whose step is the sparsity in
per mille, so that MLflow draws them along sparsity. The plain `params`, `test_accuracy` and so on of a run are always
figures of one and the same model, for MLflow's search looks at the last value of each metric by itself: of a trial its
sparsest model within the tolerance (`search/breakpoints.py`), of a run below it the model of the front that it is. What
such a model comes to over its seeds has names of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from compress.encoding import digest
from compress.figures import FIGURES, TEST, VALIDATION
from search.study.breakpoints import curves, tolerance
from search.study.front import GrowingFront
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import Family

Step = tuple[str, float, int]
"""A metric's key, value and step."""

LABELS = ("order", "teacher", "student", "distiller", "pruner", "factorizer")
"""Choices that become tags too, and columns of the tables, where a trial has them."""
METHODS = ("method", "pruner", "factorizer", "distiller")
"""The first of these choices that a trial has is its tag `method`."""
STATUSES = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "running": "RUNNING"}
"""A trial's status in MLflow's words."""

_LONGEST = 5000  # characters: MLflow's limits are 8000 of a tag, 6000 of a param, and an older server's lie lower


def bare_tags(study: str, kind: str = "study") -> dict[str, str]:
    """What a run is found by; kinds are study, trial, front (a model of the front) and model (a registered one)."""
    return {"paretune.study": study, "paretune.kind": kind}


def study_tags(study: StudyRecord) -> dict[str, str]:
    """Tags of a study's run."""
    return {
        **bare_tags(study.name),
        "task": study.task,
        "space": study.space,
        "objectives": ", ".join(study.objectives),
    }


def trial_tags(trial: TrialRecord, study: str) -> dict[str, str]:
    """Tags of a trial's run; `paretune.state` changes with what is to be logged of it."""
    return {
        **_labels(trial),
        **bare_tags(study, "trial"),
        "paretune.trial": str(trial.id),
        "paretune.recipe": digest(trial.recipe),
        "paretune.state": state(trial),
        "status": trial.status,
        "reason": trial.reason[:_LONGEST],
    }


def front_tags(point: Point, trial: TrialRecord, study: str) -> dict[str, str]:
    """Tags of the run of a model on the front: its trial's labels, and `front`, which says no once it has left it."""
    return {
        **_labels(trial),
        **bare_tags(study, "front"),
        "paretune.trial": str(point.trial),
        "paretune.point": point.id,
        "variant": point.variant,
        "front": "yes",
    }


def state(trial: TrialRecord) -> str:
    """A hash of what tells one state of a trial from another; a point's id names its figures, so those need no look."""
    known = [digest(trial.recipe), trial.status, trial.reason, *(point.id for point in trial.points)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def trial_params(trial: TrialRecord) -> dict[str, str]:
    """A trial's recipe id and choices."""
    return {"recipe": digest(trial.recipe)} | {name: str(value)[:_LONGEST] for name, value in trial.choices.items()}


def trial_metrics(trial: TrialRecord) -> list[Step]:
    """A trial's curves, and once it has ended the figures of its breakpoint and what it took in seconds.

    The breakpoint is that of the float curve, or of the only one there is.
    """
    found = {variant: curve for (_, variant), curve in curves(StudyRecord("", "", "", (), {}, (trial,))).items()}
    logged = [
        (f"{variant}/{key}", value, per_mille(point))
        for variant, curve in found.items()
        for point in curve
        for key, value in figures(point).items()
    ]
    if trial.status != "running":
        if found:
            logged += point_metrics(tolerance(found.get("float") or next(iter(found.values()))))
        logged.append(("seconds", trial.seconds, 0))
        logged += [(f"spent/{name}", seconds, 0) for name, seconds in trial.spent.items()]
    return logged


def label(point: Point) -> str:
    """What the run of a model of the front is called."""
    return f"trial {point.trial} at {point.sparsity:.1%}" + ("" if point.variant == "float" else f" {point.variant}")


def point_metrics(point: Point) -> list[Step]:
    """A model's figures, at its sparsity."""
    return [(key, value, per_mille(point)) for key, value in {**figures(point), "sparsity": point.sparsity}.items()]


def family_metrics(family: Family) -> list[Step]:
    """A front model's figures, which are those of its family's first point, and what all `seeds` of it come to.

    Means are of accuracies in [0, 1], `margin` is half the interval of confidence of the one on validation, of several
    seeds only. Their step is the count: a mean can fall, and of two values at one step MLflow takes the larger.
    """
    count = len(family.points)
    means = {"seeds": count, **{f"mean_{name}": mean for name, mean in mean_accuracies(family).items()}}
    margin = {} if family.margin is None else {"margin": family.margin}
    return point_metrics(family.points[0]) + [(key, value, count) for key, value in {**means, **margin}.items()]


def per_mille(point: Point) -> int:
    """The step that stands for a point's sparsity."""
    return round(1000 * point.sparsity)


def figures(point: Point) -> dict[str, float]:
    """A point's measured figures by metric key, accuracies in [0, 1]."""
    return {one.metric: one.value(point.measured) for one in FIGURES}


def mean_accuracies(family: Family) -> dict[str, float]:
    """A family's mean accuracies in [0, 1], by metric key."""
    return {VALIDATION.metric: family.validation, TEST.metric: family.test}


class Course:
    """How a study has come on: hypervolume, front size and points after each trial that has ended.

    As in the report's figure of progress, what was made again with another seed is one more model, so that nothing
    falls. What the means over seeds come to, as `paretune front` has it, says the note of the study's run.
    """

    def __init__(self, study: StudyRecord) -> None:
        self._front = GrowingFront(study.objectives, study.reference_point)
        self._points: set[str] = set()
        self._ended: set[int] = set()

    def measure_against(self, reference_point: Mapping[str, float]) -> None:
        """Take the study's reference as it is now."""
        self._front.measure_against(reference_point)

    @property
    def length(self) -> int:
        """Trials so far."""
        return len(self._ended)

    def after(self, ended: Sequence[TrialRecord], known: int) -> list[Step]:
        """The steps that these trials add, one after the other; those up to step `known` are not said.

        A trial that was taken up again and ends once more is no further step.
        """
        steps: list[Step] = []
        for trial in ended:
            for point in trial.points:
                if point.id not in self._points:
                    self._points.add(point.id)
                    self._front.add(point)
            if trial.id in self._ended:
                continue
            self._ended.add(trial.id)
            if self.length > known:
                now = {"hypervolume": self._front.hypervolume, "front_size": len(self._front)}
                steps += [(name, value, self.length) for name, value in {**now, "points": len(self._points)}.items()]
        return steps


def write_trial(trial: TrialRecord, folder: Path) -> None:
    """Leave a trial's artifacts in `folder`: recipe.json and points.json, a point a line."""
    points = ",\n".join(json.dumps(point.as_json()) for point in trial.points)  # `indent` takes ten times as long
    (folder / "recipe.json").write_text(json.dumps(dict(trial.recipe)))
    (folder / "points.json").write_text(f"[{points}]")


def _labels(trial: TrialRecord) -> dict[str, str]:
    chosen = {name: str(trial.choices[name])[:_LONGEST] for name in LABELS if name in trial.choices}
    method = next((str(trial.choices[name])[:_LONGEST] for name in METHODS if name in trial.choices), None)
    return {**chosen, **({"method": method} if method else {})}
