"""Progress for machines: each change of a study is a line of JSON, and none comes twice."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any, cast

from search.progress.json_lines import JsonLines
from tests.dashboards.records import point, study, trial

PLAIN = trial(0, point(0, 0.9, 100))
RUNNING = trial(1, point(1, 0.8, 50), status="running")
DONE = trial(1, point(1, 0.8, 50), point(1, 0.7, 20, sparsity=0.6))


def driver(*started: int, notes: tuple[str, ...] = ()) -> Any:
    since = dict.fromkeys(started, 0.0)
    return cast(Any, SimpleNamespace(trials=3, notes=notes, started=since, left=lambda: 12.5))


def test_each_change_is_told_once_and_what_was_there_before_a_resume_is_not() -> None:
    file = io.StringIO()
    lines = JsonLines(file)
    lines.say("digits: 10 classes")
    lines(study(PLAIN, trial(1, status="running")), driver())
    lines(study(PLAIN, trial(1, status="running")), driver(1))
    lines(study(PLAIN, RUNNING), driver(1, notes=("a note",)))
    lines(study(PLAIN, RUNNING), driver(1, notes=("a note",)))
    lines(study(PLAIN, DONE), driver(1, notes=("a note",)))
    events = [json.loads(line) for line in file.getvalue().splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds == ["said", "begun", "progress", "note", "point", "progress", "point", "ended", "progress"]
    assert events[1] == {"event": "begun", "trial": 1, "choices": {}}
    assert events[4]["id"] == DONE.points[0].id
    assert events[7] == {"event": "ended", "trial": 1, "status": "complete", "reason": "", "points": 2, "seconds": 1.0}
    assert (events[8]["ended"], events[8]["trials"], events[8]["points"], events[8]["left_s"]) == (2, 3, 3, 12.5)
