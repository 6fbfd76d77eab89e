"""Writer of a study in MLflow: the study's run, a child run a trial, and below each trial its front models."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from search.selection.budget import Budget
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import families, front_of
from search.study.totals import changed
from search.tracking import fields, registry
from search.tracking.client import Logged, Runs, TrackingError, check_reachable, reason
from search.tracking.description import PAGE, note
from search.tracking.epochs import epochs
from search.tracking.tables import TABLES, write_tables
from search.uri import shown

Draw = Callable[[StudyRecord], str]
"""Draws the report of a study: a single HTML page that fetches nothing."""


class Writer:
    """Writes the missing parts of a study into MLflow; after any error a new writer must be made.

    `synced` is the record of the last written runs, `shown` the record of the last tables and report.
    """

    def __init__(self, uri: str, study: str, artifact_root: Path | None, draw: Draw | None) -> None:
        if uri.startswith("sqlite"):
            check_reachable(uri)  # makes the schema of a new database, one process at a time
        self.runs = Runs(uri, study, artifact_root)
        self.synced: StudyRecord | None = None
        self.shown: StudyRecord | None = None
        self._uri, self._study, self._draw = uri, study, draw
        self._course: fields.Course | None = None

    def write(self, study: StudyRecord) -> None:
        """Bring the study's run and its trials' runs up to the record."""
        runs, tags = self.runs, fields.study_tags(study)
        parent = runs.known.get(None) or runs.create(study.name, tags)
        runs.known[None] = parent
        new = changed(self.synced.trials if self.synced else (), study.trials)
        missing = {trial.id for trial in new if not _complete(runs, trial)}
        for trial in new:
            if trial.id in missing:
                runs.known[trial.id] = self._child(trial, parent, epochs(trial, study.store))
        ended = [trial for trial in new if trial.status != "running"]
        ended.sort(key=lambda trial: trial.id in missing)  # first the trials of the known steps, mirrored before
        known = int(parent.tags.get("paretune.ended", 0))
        self._course = self._course or fields.Course(study)
        self._course.measure_against(study.reference_point)
        steps = self._course.after(ended, known)
        tags["paretune.ended"] = str(max(known, self._course.length))
        if any(parent.tags.get(key) != value for key, value in tags.items()):
            runs.write(parent, steps, {}, {}, at=time.time())  # all steps before the tag that counts them
            runs.known[None] = runs.write(parent, (), fields.study_params(study), tags)
        self.synced = study

    def show(self, study: StudyRecord) -> str:
        """Write tables, report, note and the front's runs; return why the report is missing, or ""."""
        runs, undrawn = self.runs, ""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_tables(study, folder)
            try:
                if self._draw is not None:
                    (folder / PAGE).write_text(self._draw(study), encoding="utf-8")
            except Exception as error:
                undrawn = f"report of {study.name} could not be drawn ({reason(error)}); all else is in MLflow"
            runs.store(runs.known[None], folder)
        tags = {
            "mlflow.loggedArtifacts": json.dumps([{"path": path, "type": "table"} for path in TABLES]),
            "mlflow.note.content": note(study, runs.experiment, runs.known[None].id),
        }
        if any(runs.known[None].tags.get(key) != value for key, value in tags.items()):
            runs.known[None] = runs.write(runs.known[None], (), fields.study_params(study), tags)
        self._show_front(study)
        self.shown = study
        return undrawn

    def turn(self, status: str) -> None:
        """Set the status of the study's run, in MLflow's words."""
        if self.runs.known[None].status != status:
            self.runs.known[None] = self.runs.turn(self.runs.known[None], status)

    def register(self, folder: Path, name: str, point: Point, budget: Mapping[str, str], prefer: str) -> str:
        """Register an exported model as a version of `name`, in a run below the study's; return its number."""
        runs = self.runs
        parent = runs.known.get(None) or runs.create(self._study, fields.bare_tags(self._study))
        tags = {**fields.bare_tags(self._study, "model"), "mlflow.parentRunId": parent.id}
        run = runs.create(name, {**tags, "paretune.trial": str(point.trial)})
        runs.store(run, folder, "model")
        with tempfile.TemporaryDirectory() as beside:
            registry.write_model(folder, Path(beside), run.id)
            runs.store(run, Path(beside), "model")
        run = runs.turn(runs.write(run, fields.point_metrics(point), dict(budget), {}), "FINISHED")
        return runs.register(
            name,
            run,
            registry.version_tags(point, budget, prefer, self._study),
            registry.describe(folder),
            registry.alias(Budget.parse(**budget), prefer),
        )

    def _child(self, trial: TrialRecord, parent: Logged, trained: list[fields.Step]) -> Logged:
        runs = self.runs
        tags = {**fields.trial_tags(trial, self._study), "mlflow.parentRunId": parent.id}
        run = runs.known.get(trial.id)
        if run is None:
            # written last, to mark the run complete: an ended trial's status, a running trial's state
            last = {} if trial.status != "running" else {"paretune.state": tags.pop("paretune.state")}
            run, tags = runs.create(f"trial {trial.id}", tags, started=time.time() - trial.seconds), last
        elif run.tags.get("paretune.recipe") != tags["paretune.recipe"]:
            raise TrackingError(
                f"MLflow at {shown(self._uri)} must hold one study named {self._study}, its trial {trial.id} has "
                "another recipe there: choose another name, or delete the runs of the other study there"
            )
        with tempfile.TemporaryDirectory() as folder:
            fields.write_trial(trial, Path(folder))
            runs.store(run, Path(folder))
        run = runs.write(run, fields.trial_metrics(trial) + trained, fields.trial_params(trial), tags)
        status = fields.STATUSES[trial.status]
        return run if run.status == status else runs.turn(run, status, ended=run.started / 1000 + trial.seconds)

    def _show_front(self, study: StudyRecord) -> None:
        """Write a run for each model of the front; for a model no longer on the front set the tag `front` to "no".

        A model with several seeds has the run of its family's first point, also named by `paretune front`: the run
        stays the same when more seeds come, and its figures are those of a single model. The means are updated even
        after the model has left the front: models that leave when further seeds come had lucky means.
        """
        runs, points = self.runs, study.points
        best = {family.points[0].id: family for family in front_of(points, study.objectives)}
        again = families(points) if any(point.family for point in points) else []
        shown = {one.points[0].id: one for one in again if len(one.points) > 1 and one.points[0].id in runs.front}
        trials = {trial.id: trial for trial in study.trials}
        for key, family in {**shown, **best}.items():
            trial, run = trials[family.points[0].trial], runs.front.get(key)
            if run is not None and run.tags.get("paretune.trial") != str(trial.id):  # an earlier trial's as well
                runs.drop(run)  # MLflow lets no param of a run change
                run = None
            needs = {"mlflow.parentRunId": runs.known[trial.id].id, "seeds": str(len(family.points))}
            if run is None or run.status != "FINISHED" or not needs.items() <= run.tags.items():
                tags = fields.front_tags(family.points[0], trial, self._study) | needs
                tags["front"] = "yes" if key in best else "no"
                known = {} if run is None else tags
                run = run or runs.create(fields.label(family.points[0]), tags)
                run = runs.write(run, fields.family_metrics(family), fields.trial_params(trial), known)
                runs.front[key] = run if run.status == "FINISHED" else runs.turn(run, "FINISHED")
        for key, run in runs.front.items():
            tag = {"front": "yes" if key in best else "no"}
            if not tag.items() <= run.tags.items():
                runs.front[key] = runs.write(run, (), {}, tag)


def _complete(runs: Runs, trial: TrialRecord) -> bool:
    run = runs.known.get(trial.id)
    return (
        run is not None
        and run.status == fields.STATUSES[trial.status]
        and run.tags.get("paretune.state") == fields.state(trial)
        and run.tags.get("mlflow.parentRunId") == runs.known[None].id
    )
