"""How trials ended, in words: a stopped trial says whether early, on request, or with its search."""

from __future__ import annotations

import pytest

from search.study.endings import BY_REQUEST, EARLY, INTERRUPTED, ending, endings, reason
from search.study.record import Status, TrialRecord


def ended(status: Status, why: str = "") -> TrialRecord:
    return TrialRecord(0, status, why, {}, {}, (), 1.0, {})


@pytest.mark.parametrize(
    ("status", "why", "words", "told"),
    [
        ("complete", "", "complete", ""),
        ("failed", "out of memory", "failed", "out of memory"),
        ("stopped", EARLY, "stopped early", ""),
        ("stopped", BY_REQUEST, "stopped by request", ""),
        ("stopped", INTERRUPTED, "interrupted", ""),
        ("stopped", "the models are on no front", "stopped", "the models are on no front"),
    ],
)
def test_an_ending_in_words(status: Status, why: str, words: str, told: str) -> None:
    assert (ending(ended(status, why)), reason(ended(status, why))) == (words, told)


def test_a_trial_at_work_runs_only_while_a_search_lives() -> None:
    assert (ending(ended("running")), ending(ended("running"), lives=False)) == ("running", "unfinished")


def test_endings_are_counted_the_good_ones_first() -> None:
    kinds: list[tuple[Status, str]] = [("failed", "x"), ("stopped", INTERRUPTED), ("complete", ""), ("complete", "")]
    trials = [ended(*kind) for kind in [*kinds, ("running", "")]]
    assert list(endings(trials).items()) == [("complete", 2), ("interrupted", 1), ("failed", 1)]
