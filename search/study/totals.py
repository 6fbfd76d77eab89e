"""Totals of a growing study, updated from changed trials alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from search.study.front import GrowingFront
from search.study.record import StudyRecord, TrialRecord


class Totals:
    """Follows a study's records: `states` (trials by status), `spent` (seconds by purpose), `points`, `front`.

    Points shared by several trials count once.
    """

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self.points = 0
        self.front: GrowingFront | None = None
        self._known: Sequence[TrialRecord] = ()
        self._seen: set[str] = set()

    def follow(self, record: StudyRecord) -> list[TrialRecord]:
        """Update to the newest record; return the trials that changed since the record before."""
        if self.front is None:
            self.front = GrowingFront(record.objectives, record.reference_point)
        self.front.measure_against(record.reference_point)
        found = changed(self._known, record.trials)
        for trial in found:
            before = self._known[trial.id] if trial.id < len(self._known) else None
            if before is not None:
                self.states[before.status] -= 1
                self.spent.subtract(before.spent)
            self.states[trial.status] += 1
            self.spent.update(trial.spent)
            for point in trial.points[len(before.points) if before else 0 :]:
                if point.id not in self._seen:
                    self._seen.add(point.id)
                    self.front.add(point)
        self.points = len(self._seen)
        self._known = record.trials
        return found


def changed(before: Sequence[TrialRecord], now: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials of `now` that are not the same objects as in `before`, in order."""
    both = zip(now, before, strict=False)
    return [*(trial for trial, known in both if trial is not known), *now[len(before) :]]
