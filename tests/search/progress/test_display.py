"""What a search shows while it runs, where it is not a terminal: its notes, and a line a finished trial."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from rich.console import Console

from compress.distill.kd import KD
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Distill, Train
from compress.training.settings import Training
from search.progress.display import Progress
from search.study.driver_file import Doing
from search.study.record import Choice, StudyRecord, TrialRecord
from tests.dashboards.records import point, study, trial

CHOICES: dict[str, Choice] = {"order": "prune", "sparsity": 0.7910119402707279, "int8": True, "spare_shortcuts": False}
PLAIN = trial(0, point(0, 0.9, 100))
RUNNING = trial(1, point(1, 0.8, 50), choices=CHOICES, status="running")
DONE = trial(1, point(1, 0.8, 50), point(1, 0.7, 20, sparsity=0.6), choices=CHOICES)


def driver(notes: list[str], started: dict[int, float] | None = None, **more: Any) -> Any:
    """What the display reads of a driver."""
    known = {"trials": 0, "doing": (), "queue": (), "left": lambda: None, **more}
    return cast(Any, SimpleNamespace(notes=notes, started=started or {}, **known))


DESK = driver(["a recipe was not tried: too narrow"])


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


SAYS = [
    "a recipe was not tried: svd: sparsity must be at most 0.618 here, got 0.95",
    "trial 3: its worker died; another goes on from what is stored",
    "a recipe was not tried: svd: sparsity must be at most 0.618 here, got 0.8",
    "trial 12: its worker died; another goes on from what is stored",
    "a recipe was not tried: layer 0.1 has hooks",
    "a recipe was not tried: layer 0.2 has hooks",
    "trial 4: its worker died; another goes on from what is stored",
]


def test_notes_of_a_kind_are_said_once_and_counted_in_the_end() -> None:
    text, notes = io.StringIO(), list[str]()
    ours = driver(notes)
    with Progress(3, Console(file=text, width=20)) as progress:
        for note in SAYS:
            notes.append(note)
            progress(study(), ours)
    first = [f"note: {SAYS[number]}" for number in (0, 1, 4, 5)]
    assert text.getvalue().splitlines() == [*first, f"note, 2 times: {SAYS[0]}", f"note, 3 times: {SAYS[1]}"]


def test_on_a_terminal_the_notes_stand_below_the_figures_and_stay_at_the_end() -> None:
    text = io.StringIO()
    progress = Progress(3, Console(file=text, width=200, force_terminal=True))
    progress(study(), driver(SAYS))
    counted = [f"{SAYS[0]} (2 times)", f"{SAYS[1]} (3 times)", SAYS[4], SAYS[5]]
    assert block_of(progress)[-4:] == [f"note {note}" for note in counted]
    assert "note" not in text.getvalue()
    progress.__exit__(None, None, None)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.getvalue())
    ends = [line for line in plain.splitlines() if "note: " in line]
    assert [note in line for note, line in zip(counted, ends, strict=True)] == [True] * 4


def block_of(progress: Progress) -> list[str]:
    """The lines of the block, with single spaces."""
    shown = io.StringIO()
    Console(file=shown, width=200).print(progress.block())
    return [" ".join(line.split()) for line in shown.getvalue().splitlines()]


def test_on_a_terminal_a_trial_says_what_its_worker_does_and_one_that_waits_is_told_apart() -> None:
    progress = Progress(9, Console(file=io.StringIO(), width=200, force_terminal=True))
    said = Doing(1, "prune cnn x0.5 45%", 2.4, 10, 60.0, "node7", 123, time.time() - 20.0)
    running = [replace(begun(number), points=PLAIN.points if number == 1 else ()) for number in range(4)]
    since = dict.fromkeys((0, 1), time.monotonic() - 125.0)
    progress(study(*running), driver([], since, doing=(Doing(0), said), queue=(2, 3), left=lambda: 3700.0))
    lines = block_of(progress)
    assert "left about 1 h 1 min" in lines
    assert "1: prune cnn x0.5 45%, epoch 3 of 10, 40 s left; 1 point, for 2 min 05 s" in lines
    assert "running 0: no point yet, cnn x0.25 trains for 60 epochs, for 2 min 05 s" in lines
    assert lines[-2:] == [
        "waiting 2: a model that it needs is in the making",
        "3: a model that it needs is in the making",
    ]


def test_what_was_done_before_a_resume_is_not_said_again_and_what_runs_again_is() -> None:
    assert len(said(study(PLAIN, DONE))) == 1
    taken_up = said(study(PLAIN, DONE), study(PLAIN, RUNNING), study(PLAIN, DONE))
    assert [line.partition("  ")[0] for line in taken_up[1:]] == ["trial 1 complete"]


def at_work(*started: int, terminal: bool = False, trials: tuple[TrialRecord, ...]) -> str:
    text = io.StringIO()
    progress = Progress(3, Console(file=text, force_terminal=terminal, width=150))
    since = dict.fromkeys(started, time.monotonic() - 125.0)
    progress(study(*trials), driver([], since))
    progress(study(*trials), driver([], since))
    progress.console.print(progress.block())
    return text.getvalue()


def begun(number: int, teacher: Model | None = None) -> TrialRecord:
    first = Train(Training(epochs=60)) if teacher is None else Distill(KD(), Training(epochs=30))
    schooling = None if teacher is None else Training(epochs=60)
    recipe = Recipe("digits", Model("cnn", 0.25), (first,), teacher, schooling)
    return replace(trial(number, status="running"), recipe=recipe.as_json())


def test_before_the_first_point_what_is_trained_is_said_once_and_no_time_left_is_made_up() -> None:
    failed = trial(0, status="failed")
    lines = at_work(1, 2, trials=(failed, begun(1), begun(2, Model("resnet20")), begun(3))).splitlines()
    assert lines[:2] == [
        "trial 1: no point yet, cnn x0.25 trains for 60 epochs",
        "trial 2: no point yet, cnn x0.25 taught by resnet20 trains for 30 epochs",
    ]
    failed_later = said(study(begun(0)), study(failed))[-1]
    assert "points 0  front 0  hypervolume 0.0000  left unknown  time nothing finished yet" in failed_later


def test_a_terminal_shows_for_how_long_each_trial_has_run() -> None:
    shown = at_work(0, 1, terminal=True, trials=(begun(0), RUNNING, begun(2)))
    assert "0: no point yet, cnn x0.25 trains for 60 epochs, for 2 min 05 s" in shown
    assert "1: 1 point, for 2 min 05 s" in shown
    assert "2: " not in shown


def test_of_many_running_trials_eight_are_listed() -> None:
    shown = at_work(*range(20), terminal=True, trials=tuple(begun(number) for number in range(20)))
    assert shown.count("no point yet") == 8
    assert "and 12 more" in shown


def test_a_sentence_stays_one_line_however_long() -> None:
    text = io.StringIO()
    Progress(3, Console(file=text, width=20)).say("parts: 2 classes, [red] and 1,080 / 120 / 400 images")
    assert text.getvalue() == "parts: 2 classes, [red] and 1,080 / 120 / 400 images\n"
