"""Seconds expected to the end of a search: at first from the costs of the plan, later from the trials that have ended.

The seconds of a MAC are read off the unpruned teacher: the epochs of its training so far, then its point. A trial is
expected to take as long as the plan says, until several trials have ended: the plan counts as much as `PRIOR` of them.
No less is expected than the rest of any training at work.
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
        longest = max((one.rest_s for one in self.driver.doing if one.trial in open_ones), default=0.0)
        return max(longest, (sum(rests) + max(0, missing) * expected) / max(1, len(at_work)))

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
        training = next((one for one in self.driver.doing if one.trial == 0), None)
        if training is None or not training.left_s or training.done >= training.of:
            return None
        # not since the trial was handed out: a worker's start takes as long as a small training
        return training.left_s * training.of / (training.of - training.done) / teacher_macs
