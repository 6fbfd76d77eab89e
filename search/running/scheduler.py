"""Early stopping in Ray Tune: a trial that the driver has ended is not gone on with.

The sampler `auto` decides (`search/sampling/acquisition.py`): each time it is asked for the next recipe, its answer
also names the running trials to give up, by the same measure, expected hypervolume improvement a second. A curve whose
rest is worth less than a share of what else there is ends with its next points. What a trial has finished stays, and
Optuna hears of it as failed, never as complete. Ray's own schedulers take one metric, and Optuna counts what they stop
as complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.running.job import Job


class Scheduler(FIFOScheduler):
    """`hear(number, result)` takes what a trial has so far and says whether there was a new point, `ended(number)` says
    whether that was enough of it.
    """

    def __init__(self, hear: Callable[[int, dict[str, Any]], bool], ended: Callable[[int], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.hear, self.ended = hear, ended

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles all it is given; there is nothing here to bring back

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Tune asks this before its callbacks hear of the result, and not of a last one."""
        number = Job.from_json(trial.config).trial
        if self.hear(number, result):
            trial.run_metadata.num_failures = 0  # it has come on: deaths of its workers count from here
        return str(TrialScheduler.STOP if self.ended(number) else TrialScheduler.CONTINUE)
