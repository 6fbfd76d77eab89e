"""The mirror of one study in MLflow: brought up to a record at once, or behind a search's back by a thread."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from search import mirror
from search.address import shown, unhealthy
from search.newest import Newest, Outcome
from search.record import Point, StudyRecord, TrialRecord
from search.tally import changed
from search.tracking import Logged, Runs, TrackingError, check_reachable, reason

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PAUSE_S = 1.0
RETRY_S = 10.0
DRAWN_SHARE = 0.05
"""Of the time, at most this goes into tables and figures, however large the study."""

Draw = Callable[[StudyRecord], Mapping[str, "Figure"]]
"""The figures of a study by name; the first is seen first."""


class Tracker:
    """Mirrors a study: one run for it in the experiment "paretune", a child run a trial.

    `sync` does it now; `start`, `post` and `close` do it in a daemon thread, with tables and figures at most every
    `draw_every` seconds and at the end. In a local database artifacts lie below `artifact_root`.
    """

    def __init__(
        self,
        uri: str,
        study: str,
        artifact_root: Path | None = None,
        draw: Draw | None = None,
        *,
        draw_every: float = 20.0,
    ) -> None:
        self.uri, self.study = uri, study
        self.trouble = ""
        """Why the mirror is not complete, in a sentence; "" where nothing is amiss."""
        self._artifact_root, self._draw, self._draw_every = artifact_root, draw, draw_every
        self._turn = threading.Lock()
        self._newest: Newest[StudyRecord] = Newest(self._attempt, self._prepare)
        self._shown: StudyRecord | None = None
        self._show_next = 0.0
        self._undrawn = ""
        self._runs: Runs | None = None
        self._synced: StudyRecord | None = None
        self._course: mirror.Course | None = None

    def start(self) -> None:
        """Start the thread, which goes ahead and opens MLflow: that takes seconds."""
        self._newest.start()

    def post(self, study: StudyRecord) -> None:
        """Hand the newest record to the thread; returns at once."""
        self._newest.post(study)

    def finish(self) -> None:
        """Have the newest record synced once more, figures included, and the thread end; returns at once."""
        self._newest.finish()

    def close(self, timeout: float = 60.0) -> bool:
        """Finish, and whether the mirror is complete; else see `trouble`."""
        if not self._newest.close(timeout):
            self.trouble = self._sentence(f"could not be brought up to date within {timeout:g} s")
        return not self.trouble

    def sync(self, study: StudyRecord) -> None:
        """Bring MLflow up to the record, tables and figures included; TrackingError when that cannot be done.

        Nothing is logged twice: what is complete there stays, what is half there is finished.
        """
        trouble = self._sync(study, "RUNNING" if _running(study) else "FINISHED", show=True)
        if trouble:
            raise TrackingError(trouble)

    @property
    def link(self) -> str:
        """The study's page at an MLflow server, once something was synced there; else "".

        Without the query MLflow 3 shows its pages for language models.
        """
        runs = self._runs
        if runs is None or None not in runs.known or not self.uri.startswith("http"):
            return ""
        run = f"#/experiments/{runs.experiment}/runs/{runs.known[None].id}"
        return f"{shown(self.uri).rstrip('/')}/{run}?workflowType=machine_learning"

    def register(self, folder: Path, name: str, point: Point, budget: Mapping[str, str]) -> str:
        """Keep an exported model as the next version of the registered model `name`, in a run below the study's.

        Returns its URI, `models:/name/version`; TrackingError when that cannot be done.
        """
        with self._turn:
            try:
                runs = self._open()
                parent = runs.known.get(None) or runs.create(self.study, mirror.bare_tags(self.study))
                tags = {**mirror.bare_tags(self.study, "model"), "mlflow.parentRunId": parent.id}
                run = runs.create(name, tags)
                runs.store(run, folder, "model")
                figures = [(key, value, 0) for key, value in mirror.figures(point).items()]
                run = runs.write(run, figures, dict(budget), {"paretune.trial": str(point.trial)})
                version = runs.version(
                    name,
                    runs.turn(run, "FINISHED"),
                    mirror.model_tags(point, budget, self.study),
                    mirror.describe(point, budget, self.study),
                )
            except TrackingError:
                raise
            except Exception as error:
                raise TrackingError(
                    f"register: {name} is not in MLflow at {shown(self.uri)}: {reason(error)}"
                ) from error
            finally:
                self._forget()
        return f"models:/{name}/{version}"

    def _prepare(self) -> None:
        with self._turn, suppress(Exception):  # the first attempt will meet it again, and say it
            self._open()

    def _attempt(self, study: StudyRecord, last: bool) -> Outcome:
        status = "RUNNING" if not last else "KILLED" if _running(study) else "FINISHED"
        show = last or time.monotonic() >= self._show_next
        try:
            self.trouble = self._sync(study, status, show=show)
        except Exception as error:  # whatever MLflow does, the search goes on
            self.trouble = str(error)
            return Outcome(done=False, pause_s=RETRY_S)
        return Outcome(done=study is self._shown, pause_s=PAUSE_S)

    def _sync(self, study: StudyRecord, status: str, *, show: bool) -> str:
        """What could not be drawn, in a sentence, or ""; TrackingError when MLflow does not take the rest."""
        with self._turn:
            try:
                runs = self._open()
                if study is not self._synced:
                    self._write(runs, study)
                    self._synced = study
                if show and study is not self._shown:
                    self._show(runs, study)
                if runs.known[None].status != status:
                    runs.known[None] = runs.turn(runs.known[None], status)
            except TrackingError:
                self._forget()
                raise
            except Exception as error:
                self._forget()
                raise TrackingError(self._told(error)) from error
        return self._undrawn

    def _open(self) -> Runs:
        if self._runs is None:
            if self.uri.startswith("sqlite"):
                check_reachable(self.uri)  # makes the schema of a new database, one process at a time
            self._runs = Runs(self.uri, self.study, self._artifact_root)
        return self._runs

    def _forget(self) -> None:
        self._runs = self._synced = self._shown = self._course = None

    def _write(self, runs: Runs, study: StudyRecord) -> None:
        tags = mirror.study_tags(study)
        parent = runs.known.get(None) or runs.create(study.name, tags)
        runs.known[None] = parent
        new = changed(self._synced.trials if self._synced else (), study.trials)
        missing = {trial.id for trial in new if not _complete(runs, trial)}
        for trial in new:
            if trial.id in missing:
                runs.known[trial.id] = self._child(runs, trial, parent)
        ended = [trial for trial in new if trial.status != "running"]
        ended.sort(key=lambda trial: trial.id in missing)  # what was there before is what the steps there are of
        known = int(parent.tags.get("paretune.ended", 0))
        self._course = self._course or mirror.Course(study)
        steps = self._course.after(ended, known)
        tags["paretune.ended"] = str(max(known, self._course.length))
        if any(parent.tags.get(key) != value for key, value in tags.items()):
            runs.known[None] = runs.write(parent, steps, {}, tags, at=time.time())

    def _child(self, runs: Runs, trial: TrialRecord, parent: Logged) -> Logged:
        tags = {**mirror.trial_tags(trial, self.study), "mlflow.parentRunId": parent.id}
        run = runs.known.get(trial.id)
        if run is None:
            stateless = {key: value for key, value in tags.items() if key != "paretune.state"}
            run = runs.create(f"trial {trial.id}", stateless, started=time.time() - trial.seconds)
        elif run.tags.get("paretune.recipe") != tags["paretune.recipe"]:
            raise TrackingError(
                f"MLflow at {shown(self.uri)} must hold one study named {self.study}, its trial {trial.id} has another "
                "recipe there: choose another name, or delete the runs of the other study there"
            )
        with tempfile.TemporaryDirectory() as folder:
            mirror.write_trial(trial, Path(folder))
            runs.store(run, Path(folder))
        run = runs.write(run, mirror.trial_metrics(trial), mirror.trial_params(trial), tags)
        status = mirror.STATUSES[trial.status]
        return run if run.status == status else runs.turn(run, status, ended=run.started / 1000 + trial.seconds)

    def _show(self, runs: Runs, study: StudyRecord) -> None:
        start, self._undrawn = time.monotonic(), ""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            mirror.write_tables(study, folder)
            try:
                if self._draw is not None:
                    (folder / mirror.PAGE).write_text(mirror.page(study.name, self._draw(study)), encoding="utf-8")
            except Exception as error:
                self._undrawn = f"figures of {study.name} could not be drawn ({reason(error)}); all else is in MLflow"
            runs.store(runs.known[None], folder)
        tables = {"mlflow.loggedArtifacts": json.dumps([{"path": path, "type": "table"} for path in mirror.TABLES])}
        if runs.known[None].tags.get("mlflow.loggedArtifacts") is None:
            runs.known[None] = runs.write(runs.known[None], (), {}, tables)
        now = time.monotonic()
        self._shown, self._show_next = study, max(start + self._draw_every, now + (now - start) / DRAWN_SHARE)

    def _told(self, error: Exception) -> str:
        down = unhealthy(self.uri)
        return self._sentence(f"could not be reached ({down})" if down else f"could not be written ({reason(error)})")

    def _sentence(self, failed: str) -> str:
        remedy = f"nothing is lost, run `paretune sync {self.study}` when it is back"
        return f"MLflow at {shown(self.uri)} {failed}: {remedy}"


def _complete(runs: Runs, trial: TrialRecord) -> bool:
    run = runs.known.get(trial.id)
    return (
        run is not None
        and run.status == mirror.STATUSES[trial.status]
        and run.tags.get("paretune.state") == mirror.state(trial)
        and run.tags.get("mlflow.parentRunId") == runs.known[None].id
    )


def _running(study: StudyRecord) -> bool:
    return any(trial.status == "running" for trial in study.trials)
