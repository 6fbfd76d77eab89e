"""How a trial ended, in words for people: a trial that `stopped` did so early, on request, or with its search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from search.study.record import TrialRecord

INTERRUPTED = "interrupted"
BY_REQUEST = "stopped by request"
EARLY = "the rest of its curve promised less than other recipes"
STOPPED = {EARLY: "stopped early", BY_REQUEST: BY_REQUEST, INTERRUPTED: INTERRUPTED}
ORDER = ("complete", *STOPPED.values(), "stopped", "failed")


def ending(trial: TrialRecord, *, lives: bool = True) -> str:
    """Return how the trial ended; `running` of a trial that did not, `unfinished` if no search `lives` to end it."""
    if trial.status == "running":
        return "running" if lives else "unfinished"
    return STOPPED.get(trial.reason, "stopped") if trial.status == "stopped" else trial.status


def reason(trial: TrialRecord) -> str:
    """Return why the trial ended, "" where `ending` says so."""
    return "" if trial.status == "stopped" and trial.reason in STOPPED else trial.reason


def endings(trials: Iterable[TrialRecord]) -> dict[str, int]:
    """Return how many trials ended how, none of them 0."""
    counts = Counter(ending(trial) for trial in trials)
    return {words: counts[words] for words in ORDER if counts[words]}


def states(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Return `endings`, and how many trials are running, if any."""
    running = sum(trial.status == "running" for trial in trials)
    return endings(trials) | ({"running": running} if running else {})
