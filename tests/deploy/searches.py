"""A search short enough for a test, and what it must leave."""

from __future__ import annotations

from pathlib import Path

from search.study.study import Study

TRIALS = 6
SEARCH = (
    *("--name", "first", "--task", "digits", "--trials", str(TRIALS), "--gpus-per-trial", "0"),
    *("--epochs", "8", "--recovery-epochs", "2"),
)


def finished(home: Path, said: str) -> None:
    """Every trial of the study is done and has points."""
    record = Study(home, "first").record
    assert len(record.trials) == TRIALS, said
    assert {trial.status for trial in record.trials} <= {"complete", "stopped"}, said
    assert all(trial.points for trial in record.trials if trial.status == "complete"), said
