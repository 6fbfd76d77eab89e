"""Early stopping in Ray Tune: trials ended by the driver are stopped.

The sampler `auto` decides (`search/sampling/early_stopping.py`), and the driver ends the trial (`driver.py`). An answer
with the next recipe also names the running trials to give up, by the same measure, expected hypervolume improvement per
second. A curve ends with its next points if its remaining points are worth less than a share of the best candidate.
Finished points stay, and Optuna records the trial as failed, never as complete. Ray's own schedulers take a single
metric, and Optuna would count trials they stop as complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.running.job import Job


class Scheduler(FIFOScheduler):
    """Stops trials the driver has ended.

    `hear(number, result)` takes a trial's result and returns whether any point is new. `ended(number)` returns whether
    the driver has ended the trial.
    """

    def __init__(self, hear: Callable[[int, dict[str, Any]], bool], ended: Callable[[int], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.hear, self.ended = hear, ended

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles every object; nothing here has to be restored

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Hand the result to the driver, and decide whether the trial goes on.

        Tune calls this method before its callbacks, but not for a last result.
        """
        number = Job.from_json(trial.config).trial
        if self.hear(number, result):
            trial.run_metadata.num_failures = 0  # after a new point, deaths of workers count from zero
        return str(TrialScheduler.STOP if self.ended(number) else TrialScheduler.CONTINUE)
