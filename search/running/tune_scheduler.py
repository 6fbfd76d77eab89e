"""Early stopping in Ray Tune: trials the driver has ended are stopped.

The sampler `auto` decides (`search/sampling/acquisition.py`): asked for the next recipe, its answer also names the
running trials to give up, by the same measure, expected hypervolume improvement a second. A curve whose rest is worth
less than a share of the other recipes ends with its next points. Finished points stay, and Optuna hears of the trial as
failed, never as complete. Ray's own schedulers take a single metric, and Optuna counts trials stopped by them as
complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.running.job import Job


class Scheduler(FIFOScheduler):
    """`hear(number, result)` takes a trial's result and says whether any point is new; `ended(number)` says whether
    the driver has ended the trial.
    """

    def __init__(self, hear: Callable[[int, dict[str, Any]], bool], ended: Callable[[int], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.hear, self.ended = hear, ended

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles all it is given; there is nothing here to bring back

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Hear the result and decide; Tune calls this before its callbacks, but not for a last result."""
        number = Job.from_json(trial.config).trial
        if self.hear(number, result):
            trial.run_metadata.num_failures = 0  # it has come on: deaths of its workers count from here
        return str(TrialScheduler.STOP if self.ended(number) else TrialScheduler.CONTINUE)
