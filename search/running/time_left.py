"""Seconds expected to the end of a search: at first from the costs of the plan, later from the trials that have ended.

The seconds of a MAC are read off the unpruned teacher: its training so far, then its point. A trial is expected to take
as long as the plan says, until several trials have ended: the plan counts as much as `PRIOR` of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean

from search.running.driver import Driver

PRIOR = 3.0
LEAST = 0.1
"""Share of a trial's expected seconds that a trial at work for longer is expected to take still."""


class TimeLeft:
    """Expects the seconds left. `planned()` returns MACs of the teacher's training and of a further trial, or None."""

    def __init__(self, driver: Driver, planned: Callable[[], tuple[float, float] | None]) -> None:
        self.driver, self.planned = driver, planned

    def __call__(self) -> float | None:
        """Return the seconds left; None before the teacher's first epoch, and while only seeds are added."""
        trials = list(self.driver.study.trials.items())
        missing = self.driver.trials - len(trials)
        ended = [state.seconds for number, state in trials if number and state.status != "running" and state.points]
        expected = self._expected(ended)
        at_work = dict(self.driver.at_work)
        open_ones = [number for number, state in trials if state.status == "running"]
        if expected is None or not (missing > 0 or open_ones):
            return None
        now = time.monotonic()
        rests = [max(expected - (now - at_work.get(number, now)), LEAST * expected) for number in open_ones if number]
        teacher = self._teacher_left() if 0 in open_ones else 0.0
        return max(teacher, (sum(rests) + max(0, missing) * expected) / max(1, len(at_work)))

    def _expected(self, ended: list[float]) -> float | None:
        """Return the seconds of a trial, given those of the trials that have ended."""
        planned = self.planned()
        a_mac = self._seconds_a_mac(planned[0]) if planned else None
        if planned is None or a_mac is None:
            return fmean(ended) if ended else None
        return (PRIOR * planned[1] * a_mac + sum(ended)) / (PRIOR + len(ended))

    def _seconds_a_mac(self, teacher_macs: float) -> float | None:
        if not teacher_macs:
            return None
        first = self.driver.study.trials.get(0)
        if first is not None and first.points:
            return next(iter(first.points.values())).measured.seconds / teacher_macs
        left = self._teacher_left()
        since = self.driver.at_work.get(0)
        return None if not left or since is None else (time.monotonic() - since + left) / teacher_macs

    def _teacher_left(self) -> float:
        return next((one.left_s or 0.0 for one in self.driver.doing if one.trial == 0), 0.0)
