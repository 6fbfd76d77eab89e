"""Progress of a search for machines: a line of JSON for each event, on standard output.

Events: `said` and `note` (a `text`), `begun` (a trial with its choices), `point` (a model, as `paretune front --json`
has it), `ended` (a trial with status, reason, seconds), and after these `progress` (trials, points, front, time left).
"""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Any, TextIO

from search.running.driver import Driver
from search.study.record import StudyRecord, TrialRecord
from search.study.totals import Totals


class JsonLines:
    """Writes a study's events; a context manager, to be called with the study after every change.

    Trials and points from before a resume are not written again.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = sys.stdout if file is None else file
        self.totals = Totals()
        self.notes = 0
        self.known: dict[int, tuple[str, int]] | None = None

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.flush()

    def say(self, line: str) -> None:
        """Write a sentence."""
        self.write("said", text=line)

    def write(self, event: str, **values: Any) -> None:
        """Write an event."""
        print(json.dumps({"event": event, **values}), file=self.file, flush=True)

    def __call__(self, record: StudyRecord, driver: Driver) -> None:
        """Write what has changed since the last call."""
        changed = self.totals.follow(record)
        for note in driver.notes[self.notes :]:
            self.write("note", text=note)
        self.notes = len(driver.notes)
        if self.known is None:
            self.known = {trial.id: (trial.status, len(trial.points)) for trial in changed if trial.status != "running"}
            changed = [trial for trial in changed if trial.id not in self.known]
        if [trial for trial in changed if self._trial(trial, driver)]:
            self._progress(driver)

    def _trial(self, trial: TrialRecord, driver: Driver) -> bool:
        """Write the events of a trial; return whether there was any."""
        assert self.known is not None
        status, points = self.known.get(trial.id, ("", 0))
        is_begun = trial.status != "running" or trial.id in driver.started
        if is_begun and status in ("", "complete", "stopped", "failed") and trial.status == "running":
            self.write("begun", trial=trial.id, choices=dict(trial.choices))
        for point in trial.points[points:]:
            self.write("point", **point.as_json())
        if trial.status not in ("running", status):
            words = {"trial": trial.id, "status": trial.status, "reason": trial.reason}
            self.write("ended", **words, points=len(trial.points), seconds=trial.seconds)
        if is_begun:
            self.known[trial.id] = (trial.status, len(trial.points))
        return (status, points) != self.known.get(trial.id, ("", 0))

    def _progress(self, driver: Driver) -> None:
        states, front = self.totals.states, self.totals.front
        self.write(
            "progress",
            ended=sum(states.values()) - states["running"],
            failed=states["failed"],
            trials=max(driver.trials, sum(states.values())),
            points=self.totals.points,
            front=len(front) if front else 0,
            hypervolume=front.hypervolume if front else 0.0,
            left_s=driver.left(),
        )
