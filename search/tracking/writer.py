"""Writer of a study in MLflow: the study's run, a child run a trial, and below each trial its front models."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from search.selection.budget import Budget
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import Family, families, front_of
from search.study.totals import changed
from search.tracking import fields, registry
from search.tracking.begun_with import data_of, study_params
from search.tracking.chart import log_size, size_of, view, view_key
from search.tracking.client import TrackingError, check_reachable, reason
from search.tracking.description import NOTE, PAGE, PICTURE, WORDS, front_note, note, trial_note, words
from search.tracking.epochs import epochs
from search.tracking.picture import picture
from search.tracking.runs import Logged, Runs
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
        self._timed: frozenset[str] = frozenset()

    def write(self, study: StudyRecord) -> None:
        """Bring the study's run and its trials' runs up to the record."""
        runs, tags = self.runs, fields.study_tags(study)
        parent = runs.add_data(runs.known.get(None) or runs.create(study.name, tags), data_of(study))
        runs.known[None] = parent
        new = changed(self.synced.trials if self.synced else (), study.trials)
        missing = {trial.id for trial in new if not _complete(runs, trial)}
        for trial in new:
            if trial.id in missing:
                runs.known[trial.id] = self._child(trial, parent, study)
        ended = [trial for trial in new if trial.status != "running"]
        ended.sort(key=lambda trial: trial.id in missing)  # first the trials of the known steps, mirrored before
        known = int(fields.hidden(parent.tags, "ended") or 0)
        if self._course is None or self._timed != study.timed:
            self._course, self._timed = fields.Course(study), study.timed
            ended = [trial for trial in study.trials if trial.status != "running"]
        self._course.measure_against(study.reference_point)
        steps = self._course.after(ended, known)
        length, mark = max(known, self._course.length), self._course.mark
        tags[fields.hidden_tag("ended")] = str(length)
        if length == self._course.length:  # shorter while trials that had ended run again
            tags[fields.hidden_tag("course")] = mark
            now = self._course.now(length)
            if length and mark != fields.hidden(parent.tags, "course") and steps[-len(now) :] != now:
                steps += now  # resumed trials have ended once more
        params = study_params(study)
        if not (tags.items() <= parent.tags.items() and params.keys() <= parent.params.keys()):
            parent = runs.write(parent, steps, {}, {}, at=time.time())  # all steps before the tag that counts them
            runs.known[None] = runs.write(parent, (), params, tags)
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
            (folder / PICTURE).write_text(picture(study), encoding="utf-8")
            (folder / WORDS).write_text(words(study, runs.experiment), encoding="utf-8")
            runs.store(runs.known[None], folder)
        runs.set_view(view_key(study.name), view(study))
        tags = {
            "mlflow.loggedArtifacts": json.dumps([{"path": path, "type": "table"} for path in TABLES]),
            NOTE: note(study, runs.experiment, runs.known[None].id),
        }
        if not tags.items() <= runs.known[None].tags.items():
            runs.known[None] = runs.write(runs.known[None], (), {}, tags)
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

    def _child(self, trial: TrialRecord, parent: Logged, study: StudyRecord) -> Logged:
        runs, trained = self.runs, epochs(trial, study.store)
        tags = {**fields.trial_tags(trial, self._study), "mlflow.parentRunId": parent.id}
        run = runs.known.get(trial.id)
        if run is None:
            # written last, to mark the run complete: an ended trial's status, a running trial's state
            mark = fields.hidden_tag("state")
            last = {} if trial.status != "running" else {mark: tags.pop(mark)}
            run, tags = runs.create(f"trial {trial.id}", tags, started=time.time() - trial.seconds), last
        elif fields.hidden(run.tags, "recipe") != tags[fields.hidden_tag("recipe")]:
            raise TrackingError(
                f"MLflow at {shown(self._uri)} must hold one study named {self._study}, its trial {trial.id} has "
                "another recipe there: choose another name, or delete the runs of the other study there"
            )
        with tempfile.TemporaryDirectory() as folder:
            fields.write_trial(trial, Path(folder))
            runs.store(run, Path(folder))
        run = runs.add_data(run, data_of(study))
        if not trial.reason:
            run = runs.untag(run, "reason")
        tags[NOTE] = trial_note(trial)
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
            if latency := fields.target_latency(family.mean):
                needs[fields.hidden_tag("latency")] = latency
            whole = run is not None and run.status == "FINISHED" and bool(run.models)
            if run is None or not whole or not needs.items() <= run.tags.items():
                tags = fields.front_tags(family.points[0], trial, self._study) | needs
                tags["front"] = "yes" if key in best else "no"
                known = {} if run is None else tags
                run = run or runs.create(fields.label(family.points[0]), tags)
                runs.front[key] = self._front_model(run, family, trial, study, known)
        for key, run in runs.front.items():
            tag = {"front": "yes" if key in best else "no", fields.hidden_tag("point"): key}
            if not tag.items() <= run.tags.items():
                runs.front[key] = runs.write(run, (), {}, tag)
                runs.tag_models(run, {"front": tag["front"]})
        runs.known[None] = runs.link(runs.known[None], [model for key in best for model in runs.front[key].models])
        for trial_id in {family.points[0].trial for family in best.values()}:
            own = [key for key in best if best[key].points[0].trial == trial_id]
            models = [model for key in own for model in runs.front[key].models]
            runs.known[trial_id] = runs.link(runs.known[trial_id], models)

    def _front_model(
        self, run: Logged, family: Family, trial: TrialRecord, study: StudyRecord, tags: Mapping[str, str]
    ) -> Logged:
        """Write the run of a front model, with its logged model and its data; return the finished run."""
        runs, params = self.runs, fields.trial_params(trial)
        shown = {"paretune.study": self._study, "trial": str(trial.id), "front": tags.get("front", "yes")}
        said = {NOTE: front_note(family.points[0], self._study)}
        run = runs.add_model(run, fields.model_name(family.points[0], self._study), params, {**shown, **said})
        run = runs.add_data(run, data_of(study))
        figures = [*fields.family_metrics(family), log_size(family.points[0], size_of(study))]
        run = runs.write(run, figures, params, {**tags, **said}, of_its_model=True)
        runs.finish_model(run)
        return run if run.status == "FINISHED" else runs.turn(run, "FINISHED")


def _complete(runs: Runs, trial: TrialRecord) -> bool:
    run = runs.known.get(trial.id)
    return (
        run is not None
        and run.status == fields.STATUSES[trial.status]
        and run.tags.get(fields.hidden_tag("state")) == fields.state(trial)
        and run.tags.get("mlflow.parentRunId") == runs.known[None].id
    )
