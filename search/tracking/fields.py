"""Tags, params and metrics that represent a study in MLflow. Pure functions, without MLflow.

A trial's curves are metrics named after their variant, `float/params` or `int8/params`, whose step is the sparsity in
per mille, so MLflow draws the metrics along sparsity. The plain `params`, `test_accuracy` and so on of a run are always
figures of a single model, for MLflow's search looks at the last value of each metric by itself: in a trial's run the
sparsest model within the tolerance (`search/study/breakpoints.py`), in a run below the trial a model of the front.
Means over seeds have names of their own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from compress.encoding import digest
from compress.errors import shortened
from compress.figures import COSTS, graded, metric_key
from search.study.breakpoints import curves, tolerance
from search.study.front import GrowingFront
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import Family

Step = tuple[str, float, int]
"""Key, value and step of a metric."""

LABELS = ("order", "teacher", "student", "distiller", "pruner", "factorizer")
"""Choices shown as tags and as columns of the tables, where a trial has them."""
METHODS = ("method", "pruner", "factorizer", "distiller")
"""Choices of which the trial's first becomes the tag `method`."""
STATUSES = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "running": "RUNNING"}
"""MLflow's word for each status of a trial."""

HIDDEN = ("recipe", "state", "point", "ended", "course")
"""Bookkeeping of the mirror, in tags that MLflow's pages hide: their names begin with `mlflow.`."""

LONGEST = 5000  # characters: MLflow's limits are 8000 of a tag, 6000 of a param, and an older server's lie lower


def bare_tags(study: str, kind: str = "study") -> dict[str, str]:
    """Return the tags that identify a run of a kind: study, trial, front (a front model) or model (registered)."""
    return {"paretune.study": study, "paretune.kind": kind}


def hidden_tag(name: str) -> str:
    """Return the tag of a name of `HIDDEN`."""
    return f"mlflow.paretune.{name}"


def hidden(tags: Mapping[str, str], name: str) -> str | None:
    """Return the value of a tag of `HIDDEN`, also as an earlier version wrote the tag; None without the tag."""
    return tags.get(hidden_tag(name), tags.get(f"paretune.{name}"))


def study_tags(study: StudyRecord) -> dict[str, str]:
    """Return the tags of a study's run."""
    return {
        **bare_tags(study.name),
        "task": study.task,
        "space": study.space,
        "objectives": ", ".join(study.objectives),
    }


def trial_tags(trial: TrialRecord, study: str) -> dict[str, str]:
    """Return the tags of a trial's run; the hidden `state` changes whenever the logged content does."""
    return {
        **_labels(trial),
        **bare_tags(study, "trial"),
        "paretune.trial": str(trial.id),
        hidden_tag("recipe"): digest(trial.recipe),
        hidden_tag("state"): state(trial),
        "status": trial.status,
        **({"reason": shortened(trial.reason, LONGEST - 20)} if trial.reason else {}),
    }


def front_tags(point: Point, trial: TrialRecord, study: str) -> dict[str, str]:
    """Return the tags of a front model's run: its trial's labels, and `front`, changed to "no" once off the front."""
    return {
        **_labels(trial),
        **bare_tags(study, "front"),
        "paretune.trial": str(point.trial),
        hidden_tag("point"): point.id,
        "variant": point.variant,
        "front": "yes",
    }


def state(trial: TrialRecord) -> str:
    """Hash a trial's state; a point's id stands for its figures but for the latency on a target, measured later."""
    known = [digest(trial.recipe), trial.status, trial.reason, *map(_known, trial.points)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _known(point: Point) -> str:
    latency = target_latency(point)
    return f"{point.id} {latency}" if latency else point.id


def target_latency(point: Point) -> str:
    """Return a point's latency on its study's target as a text, "" where it was measured in a trial."""
    return f"{point.measured.latency_ms:.6g}" if ":" in point.measured.device else ""


def trial_params(trial: TrialRecord) -> dict[str, str]:
    """Return a trial's recipe id and choices."""
    return {"recipe": digest(trial.recipe)} | {name: str(value)[:LONGEST] for name, value in trial.choices.items()}


def trial_metrics(trial: TrialRecord) -> list[Step]:
    """Return a trial's curves, and after its end the breakpoint's figures and the seconds.

    The breakpoint is the float curve's, or the only curve's.
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
    """Return the name of a front model's run."""
    return f"trial {point.trial} at {point.sparsity:.1%}" + ("" if point.variant == "float" else f" {point.variant}")


def model_name(point: Point, study: str) -> str:
    """Return the name of a front model's logged model, without the signs that MLflow refuses in such a name."""
    variant = "" if point.variant == "float" else f" {point.variant}"
    return re.sub(r"[/:.%\"']", "-", f"{study} trial {point.trial} at {100 * point.sparsity:.0f} percent{variant}")


def point_metrics(point: Point) -> list[Step]:
    """Return a model's figures, at its sparsity."""
    return [(key, value, per_mille(point)) for key, value in {**figures(point), "sparsity": point.sparsity}.items()]


def family_metrics(family: Family) -> list[Step]:
    """Return a front model's figures, from its family's first point, and the means over its `seeds`.

    Mean qualities are in their own unit; `margin` is half the confidence interval of the mean on validation, for
    several seeds only. The step of the means is the number of seeds: a mean can fall, and of two values at equal step
    MLflow takes the larger.
    """
    count = len(family.points)
    means = {"seeds": count, **{f"mean_{name}": mean for name, mean in mean_qualities(family).items()}}
    margin = {} if family.margin is None else {"margin": family.quality.amount(family.margin)}
    return point_metrics(family.points[0]) + [(key, value, count) for key, value in {**means, **margin}.items()]


def per_mille(point: Point) -> int:
    """Return the step for a point's sparsity."""
    return round(1000 * point.sparsity)


def figures(point: Point) -> dict[str, float]:
    """Return a point's measured figures by metric key: qualities in their own units, accuracies in [0, 1]."""
    found = {figure.metric: figure.value(point.measured) for figure in (*graded(point.quality), *COSTS)}
    others = ((*name.rpartition("_"), value) for name, value in point.measured.metrics.items())
    return {**{metric_key(name, split): value for name, _, split, value in others}, **found}


def mean_qualities(family: Family) -> dict[str, float]:
    """Return a family's mean qualities in their own unit, by metric key."""
    validation, test = graded(family.quality)
    value = family.quality.value
    return {validation.metric: value(family.validation), test.metric: value(family.test)}


class Course:
    """Progress of a study: hypervolume, front size and number of points after each ended trial.

    As in the report's figure of progress, a model made again with another seed counts as a further model, so that no
    value falls. The note of the study's run shows the means over seeds, as in `paretune front`.
    """

    def __init__(self, study: StudyRecord) -> None:
        self._front = GrowingFront(study.objectives, study.reference_point)
        self._points: set[str] = set()
        self._ended: set[int] = set()

    def measure_against(self, reference_point: Mapping[str, float]) -> None:
        """Set the study's present reference."""
        self._front.measure_against(reference_point)

    @property
    def length(self) -> int:
        """Return the number of trials so far."""
        return len(self._ended)

    def after(self, ended: Sequence[TrialRecord], known: int) -> list[Step]:
        """Return the steps added by the ended trials, in order, without steps up to `known`.

        A resumed trial that ends once more adds no step: `now` has the values after it.
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
                steps += self.now(self.length)
        return steps

    def now(self, step: int) -> list[Step]:
        """Return the present values at a step; of two values at a step MLflow shows the later."""
        values = {"hypervolume": self._front.hypervolume, "front_size": len(self._front), "points": len(self._points)}
        return [(name, value, step) for name, value in values.items()]

    @property
    def mark(self) -> str:
        """Return the present values as a text, to tell whether MLflow has them."""
        return " ".join(f"{value:.9g}" for _, value, _ in self.now(0))


def write_trial(trial: TrialRecord, folder: Path) -> None:
    """Write a trial's artifacts into `folder`: recipe.json and points.json, a point a line."""
    points = ",\n".join(json.dumps(point.as_json()) for point in trial.points)  # `indent` takes ten times as long
    (folder / "recipe.json").write_text(json.dumps(dict(trial.recipe)))
    (folder / "points.json").write_text(f"[{points}]")


def _labels(trial: TrialRecord) -> dict[str, str]:
    chosen = {name: str(trial.choices[name])[:LONGEST] for name in LABELS if name in trial.choices}
    method = next((str(trial.choices[name])[:LONGEST] for name in METHODS if name in trial.choices), None)
    return {**chosen, **({"method": method} if method else {})}
