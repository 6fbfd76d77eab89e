"""The mirror of a study in MLflow: brought up to a record in a call, or in a thread during a search."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from search.hints import command
from search.selection.preference import ACCURACY
from search.settings import Settings
from search.study.record import Point, StudyRecord
from search.tracking.client import TrackingError, check_reachable, reason
from search.tracking.description import FOR_TRAINING
from search.tracking.experiment import ARTIFACTS
from search.tracking.latest import Latest, Outcome
from search.tracking.writer import Draw, Writer
from search.uri import shown, unhealthy

PAUSE_S = 1.0
RETRY_S = 10.0
SHARE = 0.25
"""Greatest share of the time for the mirror during a search: mirroring takes the processor from the driver."""
DRAWN_SHARE = 0.05
"""Greatest share of the time for tables, the report and the runs of the front, however large the study."""


class Sync:
    """Mirrors a study: a run in the experiment "paretune", a child run a trial, and below each trial its front models.

    `sync` mirrors in the calling thread; `start`, `post` and `close` use a daemon thread, with tables and report at
    most every `draw_every` seconds and at the end. With a local database artifacts lie below `artifact_root`. `again`
    is the command for users to type after a failure.
    """

    def __init__(
        self,
        uri: str,
        study: str,
        artifact_root: Path | None = None,
        draw: Draw | None = None,
        *,
        draw_every: float = 20.0,
        again: str = "",
    ) -> None:
        self.uri, self.study, self.again = uri, study, again or f"paretune sync {study}"
        self.trouble = ""
        """Why the mirror is incomplete, in a sentence; "" for a complete mirror."""
        self._artifact_root, self._draw, self._draw_every = artifact_root, draw, draw_every
        self._turn = threading.Lock()
        self._newest: Latest[StudyRecord] = Latest(self._attempt, self._prepare)
        self._show_next = 0.0
        self._undrawn = ""
        self._scribe: Writer | None = None

    @classmethod
    def of(cls, settings: Settings, draw: Draw | None = None) -> Sync:
        """Return the mirror of the study of `settings`, in its home."""
        again = command("sync", settings.name, settings.home, settings.tracking_uri)
        return cls(settings.mlflow_uri, settings.name, settings.home / ARTIFACTS, draw, again=again)

    def start(self) -> None:
        """Start the thread, which begins by opening MLflow: opening takes seconds."""
        self._newest.start()

    def post(self, study: StudyRecord) -> None:
        """Post the newest record to the thread; return at once."""
        self._newest.post(study)

    def finish(self) -> None:
        """Sync the newest record once more, report included, and end the thread; return at once."""
        self._newest.finish()

    def close(self, timeout: float | None = 60.0) -> bool:
        """Finish; return whether the mirror is complete, else see `trouble`."""
        if not self._newest.close(timeout):
            self.trouble = self.sentence(f"could not be brought up to date within {timeout:g} s")
        return not self.trouble

    def sync(self, study: StudyRecord) -> None:
        """Bring MLflow up to the record, tables and report included; TrackingError when MLflow refuses.

        Nothing is logged twice: complete runs stay, incomplete runs are completed.
        """
        trouble = self._sync(study, "RUNNING" if _running(study) else "FINISHED", show=True)
        if trouble:
            raise TrackingError(trouble)

    @property
    def link(self) -> str:
        """Return the study's page at an MLflow server, after the first sync; else ""."""
        runs = self._scribe.runs if self._scribe else None
        if runs is None or None not in runs.known or not self.uri.startswith("http"):
            return ""
        run = f"#/experiments/{runs.experiment}/runs/{runs.known[None].id}"
        return f"{shown(self.uri).rstrip('/')}/{run}?{FOR_TRAINING}"

    def open(self) -> None:
        """Connect to MLflow and create the experiment; TrackingError when MLflow does not answer as expected."""
        check_reachable(self.uri)
        with self._turn:
            self._open()

    def register(self, folder: Path, name: str, point: Point, budget: Mapping[str, str], prefer: str = ACCURACY) -> str:
        """Register an exported model as the next version of `name`, in a run below the study's.

        `budget` holds the typed bounds by name; the budget's alias moves to the new version. Return the version's URI,
        `models:/name/version`; TrackingError on failure.
        """
        with self._turn:
            try:
                version = self._open().register(folder, name, point, budget, prefer)
            except TrackingError:
                raise
            except Exception as error:
                raise TrackingError(
                    f"register: {name} is not in MLflow at {shown(self.uri)}: {reason(error)}"
                ) from error
            finally:
                self._scribe = None
        return f"models:/{name}/{version}"

    def store(self, files: Sequence[Path], below: str) -> None:
        """Store files as artifacts of the study's run, in the folder `below`; TrackingError when MLflow refuses."""
        with self._turn, tempfile.TemporaryDirectory() as beside:
            for file in files:
                shutil.copy(file, beside)
            try:
                writer = self._open()
                run = writer.runs.known.get(None)
                if run is not None:
                    writer.runs.store(run, Path(beside), below)
            except TrackingError:
                raise
            except Exception as error:
                raise TrackingError(self._told(error)) from error

    def _prepare(self) -> None:
        with self._turn, suppress(Exception):  # the first attempt will raise the error again, and report it
            self._open()

    def _attempt(self, study: StudyRecord, last: bool) -> Outcome:
        status = "RUNNING" if not last else "KILLED" if _running(study) else "FINISHED"
        start = time.monotonic()
        show = last or start >= self._show_next
        try:
            self.trouble = self._sync(study, status, show=show)
        except Exception as error:  # whatever MLflow does, the search goes on
            self.trouble = str(error)
            return Outcome(done=False, pause_s=RETRY_S)
        pause = max(PAUSE_S, (time.monotonic() - start) * (1 / SHARE - 1))
        return Outcome(done=self._scribe is not None and study is self._scribe.shown, pause_s=pause)

    def _sync(self, study: StudyRecord, status: str, *, show: bool) -> str:
        """Sync; return why the report could not be drawn, or ""; TrackingError when MLflow refuses the rest."""
        with self._turn:
            try:
                writer = self._open()
                if study is not writer.synced:
                    writer.write(study)
                if show and study is not writer.shown:
                    start = time.monotonic()
                    self._undrawn = writer.show(study)
                    now = time.monotonic()
                    self._show_next = max(start + self._draw_every, now + (now - start) / DRAWN_SHARE)
                writer.turn(status)
            except TrackingError:
                self._scribe = None
                raise
            except Exception as error:
                self._scribe = None
                raise TrackingError(self._told(error)) from error
        return self._undrawn

    def _open(self) -> Writer:
        if self._scribe is None:
            self._scribe = Writer(self.uri, self.study, self._artifact_root, self._draw)
        return self._scribe

    def _told(self, error: Exception) -> str:
        down = unhealthy(self.uri)
        return self.sentence(f"could not be reached ({down})" if down else f"could not be written ({reason(error)})")

    def sentence(self, failed: str) -> str:
        """Return the sentence on a mirror that failed so, with the remedy."""
        remedy = f"nothing is lost, run `{self.again}` when it is back"
        return f"MLflow at {shown(self.uri)} {failed}: {remedy}"


def _running(study: StudyRecord) -> bool:
    return any(trial.status == "running" for trial in study.trials)
