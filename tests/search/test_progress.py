"""What a search shows while it runs, where it is not a terminal: its notes, and a line a finished trial."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

from rich.console import Console

from search.progress import Progress
from search.record import Choice, StudyRecord
from tests.dashboards.records import point, study, trial

CHOICES: dict[str, Choice] = {"order": "prune", "sparsity": 0.7910119402707279, "int8": True, "spare_shortcuts": False}
PLAIN = trial(0, point(0, 0.9, 100))
RUNNING = trial(1, point(1, 0.8, 50), choices=CHOICES, status="running")
DONE = trial(1, point(1, 0.8, 50), point(1, 0.7, 20, sparsity=0.6), choices=CHOICES)
DESK = cast(Any, SimpleNamespace(notes=["a recipe was not tried: too narrow"]))


def said(*records: StudyRecord) -> list[str]:
    text = io.StringIO()
    progress = Progress(3, Console(file=text))
    for record in records:
        progress(record, DESK)
    return text.getvalue().splitlines()


def test_a_note_and_a_trial_that_has_ended_are_said_once() -> None:
    note, plain, done = said(study(), study(PLAIN, RUNNING), study(PLAIN, DONE), study(PLAIN, DONE))
    assert note == "note: a recipe was not tried: too narrow"
    assert plain.startswith("trial 0 complete  1 point in 1 s  (the plain teacher)  trials 1/3  points 2  front 2  ")
    assert done.startswith("trial 1 complete  2 points in 1 s  (prune, 0.791, int8)  trials 2/3  points 3  front 3  ")


def test_what_was_done_before_a_resume_is_not_said_again_and_what_runs_again_is() -> None:
    assert len(said(study(PLAIN, DONE))) == 1
    taken_up = said(study(PLAIN, DONE), study(PLAIN, RUNNING), study(PLAIN, DONE))
    assert [line.partition("  ")[0] for line in taken_up[1:]] == ["trial 1 complete"]
