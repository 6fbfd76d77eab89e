"""What a study adds up to, kept as it grows, is what its whole record adds up to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from search.study.endings import INTERRUPTED
from search.study.front import front, hypervolume
from search.study.record import StudyRecord
from search.study.study import Study
from search.study.totals import Totals, changed

Event = Callable[..., dict[str, Any]]
Form = Callable[[int], dict[str, Any]]


def check(totals: Totals, record: StudyRecord) -> None:
    spent: Counter[str] = Counter()
    for trial in record.trials:
        spent.update(trial.spent)
    assert +totals.states == Counter(trial.status for trial in record.trials)
    assert {name: seconds for name, seconds in totals.spent.items() if seconds} == pytest.approx(dict(spent))
    assert totals.points == len(record.points)
    assert totals.front is not None
    assert len(totals.front) == len(front(record.points, record.objectives))
    expected = hypervolume(record.points, record.objectives, record.reference_point)
    assert totals.front.hypervolume == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_tally_that_follows_is_what_the_whole_record_adds_up_to(
    study: Study, event: Event, form: Form, seed: int
) -> None:
    draw, totals = random.Random(seed), Totals()
    figures = [{"score_validation": draw.random(), "params": draw.randrange(1, 900)} for _ in range(40)]
    for step in range(60):
        if not study.trials or draw.random() < 0.3:
            study.ask(form(step), {}, None)
        trial = draw.randrange(len(study.trials))
        if study.trials[trial].status == "running":
            model = draw.randrange(len(figures))
            study.add(trial, event(f"ab{model}", **figures[model]))
        if draw.random() < 0.2 and study.trials[trial].status == "running":
            status, reason = draw.choice([("complete", ""), ("failed", "why"), ("stopped", INTERRUPTED)])
            study.end(trial, status, reason, 1.0, {"train": draw.random(), "wait": 1.0})  # type: ignore[arg-type]
        if draw.random() < 0.1:
            study.requeue()
        if draw.random() < 0.7:
            totals.follow(study.record)
            check(totals, study.record)


def test_following_gives_the_trials_that_have_changed(study: Study, event: Event, form: Form) -> None:
    totals = Totals()
    for n in range(3):
        study.ask(form(n), {}, None)
    assert [trial.id for trial in totals.follow(study.record)] == [0, 1, 2]
    study.add(1, event("ab1"))
    study.ask(form(3), {}, None)
    assert [trial.id for trial in totals.follow(study.record)] == [1, 3]
    assert totals.follow(study.record) == []


def test_what_has_changed_is_told_by_identity(study: Study, form: Form) -> None:
    study.ask(form(0), {}, None)
    before = study.record.trials
    study.ask(form(1), {}, None)
    assert changed((), before) == list(before)
    assert changed(before, study.record.trials) == [study.record.trials[1]]
