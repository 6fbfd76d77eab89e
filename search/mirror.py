"""A study in MLflow's words: which tags, params, metrics, tables and figures stand for it. Pure, MLflow unseen.

A trial's curve becomes metrics whose step is the sparsity in per mille, so that MLflow draws it along sparsity and the
last value is the deepest point's. Curves of another variant than "float" have it before the key: `int8/params`.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from compress.codec import digest
from search.breakpoints import breakpoints, curves
from search.front import GrowingFront, front
from search.record import JsonDict, Point, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Step = tuple[str, float, int]
"""A metric's key, value and step."""

LABELS = ("order", "teacher", "student", "distiller", "pruner", "factorizer")
"""Choices that become tags too, and columns of the tables, where a trial has them."""
METHODS = ("method", "pruner", "factorizer", "distiller")
"""The first of these choices that a trial has is its tag `method`."""
STATUSES = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "running": "RUNNING"}
"""A trial's status in MLflow's words."""
TABLES = ("front.json", "breakpoints.json")
PAGE = "figures.html"
STYLE = "body{margin:1rem;font:14px sans-serif;background:#fff;color:#222}h2{font-size:1.1rem;margin:1rem 0 0}"

_LONGEST = 5000  # characters: MLflow's limits are 8000 of a tag, 6000 of a param, and an older server's lie lower


def bare_tags(study: str, kind: str = "study") -> dict[str, str]:
    """What a run is found by; kinds are study, trial and model."""
    return {"paretune.study": study, "paretune.kind": kind}


def study_tags(study: StudyRecord) -> dict[str, str]:
    """Tags of a study's run."""
    return {
        **bare_tags(study.name),
        "task": study.task,
        "space": study.space,
        "objectives": ", ".join(study.objectives),
        "mlflow.note.content": f"A mirror of the study's own ledger, made again by `paretune sync {study.name}`. "
        f"One child run a trial; `{PAGE}` and the tables are below *Artifacts*.",
    }


def trial_tags(trial: TrialRecord, study: str) -> dict[str, str]:
    """Tags of a trial's run; `paretune.state` changes with what is to be logged of it."""
    chosen = {name: str(trial.choices[name]) for name in LABELS if name in trial.choices}
    method = next((str(trial.choices[name]) for name in METHODS if name in trial.choices), None)
    tags = {
        **chosen,
        **({"method": method} if method else {}),
        **bare_tags(study, "trial"),
        "paretune.trial": str(trial.id),
        "paretune.recipe": digest(trial.recipe),
        "paretune.state": state(trial),
        "status": trial.status,
        "reason": trial.reason,
    }
    return {key: value[:_LONGEST] for key, value in tags.items()}


def state(trial: TrialRecord) -> str:
    """A hash of what tells one state of a trial from another; a point's id names its figures, so those need no look."""
    known = [digest(trial.recipe), trial.status, trial.reason, *(point.id for point in trial.points)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def trial_params(trial: TrialRecord) -> dict[str, str]:
    """A trial's recipe id and choices."""
    return {"recipe": digest(trial.recipe)} | {name: str(value)[:_LONGEST] for name, value in trial.choices.items()}


def trial_metrics(trial: TrialRecord) -> list[Step]:
    """A trial's curves, and once it has ended what it took in seconds."""
    alone = StudyRecord("", "", "", (), {}, (trial,))
    logged = [
        (key if variant == "float" else f"{variant}/{key}", value, round(1000 * point.sparsity))
        for (_, variant), curve in curves(alone).items()
        for point in curve
        for key, value in figures(point).items()
    ]
    if trial.status != "running":
        logged.append(("seconds", trial.seconds, 0))
        logged += [(f"spent/{name}", seconds, 0) for name, seconds in trial.spent.items()]
    return logged


def figures(point: Point) -> dict[str, float]:
    """A point's measured figures by metric key, accuracies in [0, 1]."""
    m = point.measured
    return {
        "validation_accuracy": m.accuracy_validation,
        "test_accuracy": m.accuracy_test,
        "params": m.params,
        "nonzero_params": m.nonzero_params,
        "macs": m.macs,
        "flops": m.flops,
        "size_bytes": m.size_bytes,
        "compressed_bytes": m.compressed_bytes,
        "latency_ms": m.latency_ms,
    }


class Course:
    """How a study has come on: hypervolume, front size and points after each trial that has ended."""

    def __init__(self, study: StudyRecord) -> None:
        self._front = GrowingFront(study.objectives, study.reference_point)
        self._points: set[str] = set()
        self._ended: set[int] = set()

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


def write_tables(study: StudyRecord, folder: Path) -> None:
    """Leave a study's tables in `folder`: front and breakpoints as MLflow shows them, front and points as parquet.

    A table without rows is not written.
    """
    import pandas

    points = study.points
    best = rows(study, front(points, study.objectives))
    for name, table in zip(TABLES, (best, [found.as_json() for found in breakpoints(study)]), strict=True):
        if table:
            pandas.DataFrame(table).to_json(folder / name, orient="split", index=False)
    for name, table in (("front.parquet", best), ("points.parquet", rows(study, points))):
        if table:
            pandas.DataFrame(table).to_parquet(folder / name, index=False)


def rows(study: StudyRecord, points: Sequence[Point]) -> list[JsonDict]:
    """One flat row a point: where it lies, its figures, its trial's labels; the path last."""
    choices = {trial.id: trial.choices for trial in study.trials}
    used = [name for name in LABELS if any(name in chosen for chosen in choices.values())]
    return [
        {
            "trial": point.trial,
            "variant": point.variant,
            "sparsity": point.sparsity,
            **figures(point),
            **{name: _text(choices.get(point.trial, {}).get(name)) for name in used},
            "id": point.id,
            "path": point.path,
        }
        for point in points
    ]


def page(title: str, drawn: Mapping[str, Figure]) -> str:
    """All figures in one HTML document that fetches nothing: plotly.js, 5 MB, stands in it once."""
    parts = [
        f"<section><h2>{html.escape(name.replace('_', ' '))}</h2>"
        + figure.to_html(full_html=False, include_plotlyjs=number == 0, div_id=f"figure-{number}")
        + "</section>"
        for number, (name, figure) in enumerate(drawn.items())
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n" + "\n".join(parts) + "\n</body></html>\n"


def model_tags(point: Point, budget: Mapping[str, str], study: str) -> dict[str, str]:
    """Tags of a registered model's version: its budget, its figures, and where it comes from."""
    bounds = {f"budget.{name}": value for name, value in budget.items()}
    measured = {
        name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in figures(point).items()
    }
    origin = {"paretune.study": study, "paretune.trial": str(point.trial), "paretune.point": point.id}
    return {**bounds, **measured, "sparsity": f"{point.sparsity:.4g}", "variant": point.variant, **origin}


def describe(point: Point, budget: Mapping[str, str], study: str) -> str:
    """A registered version in two sentences."""
    m = point.measured
    bounds = ", ".join(f"{name} {value}" for name, value in budget.items()) or "none"
    return (
        f"Study {study}, trial {point.trial} at {point.sparsity:.1%} sparsity ({point.variant}): accuracy "
        f"{m.accuracy_validation:.4f} on validation and {m.accuracy_test:.4f} on test, {m.params:,} params, "
        f"{m.flops:,} FLOPs, {m.size_bytes:,} bytes, {m.latency_ms:.3g} ms on {m.device}. Chosen under: {bounds}."
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
