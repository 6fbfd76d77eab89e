"""Ray Tune by itself, for comparison: with its own Optuna searcher as it comes, or bare with reused actors.

    python -m benchmarks.search.plain_ray busy|bare --trials 40

Prints one line of JSON. Imports nothing of this project, which sets Ray up for itself when it is imported.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from typing import Any

QUIET = {"RAY_AIR_NEW_OUTPUT": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}
NO_FILES = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_GLOBAL_CHECKPOINT_S": "86400"}
"""What the search sets too, so that the bare Tune is not slowed by result files that nobody compares."""


def busy(trials: int) -> dict[str, float]:
    """Wall seconds of trials of a second each, two at a time if Tune wants that."""
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    def wait(config: dict[str, Any]) -> None:
        time.sleep(1.0)
        tune.report({"error": config["x"], "cost": 1 - config["x"]})

    search = OptunaSearch(metric=["error", "cost"], mode=["min", "min"])
    tuner = tune.Tuner(
        tune.with_resources(wait, {"cpu": 1}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(search_alg=search, num_samples=trials),
        run_config=tune.RunConfig(verbose=0, storage_path=tempfile.mkdtemp()),
    )
    start = time.perf_counter()
    tuner.fit()
    return {"wall_s": time.perf_counter() - start}


def bare(trials: int) -> dict[str, float]:
    """Seconds from one end of a trial that does nothing to the next, on two reused actors."""
    from ray import tune

    class Nothing(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            """Nothing."""

        def step(self) -> dict[str, Any]:
            return {"error": 0.0, "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing."""

        def load_checkpoint(self, checkpoint: object) -> None:
            """Nothing."""

    class Ends(tune.Callback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
            self.times.append(time.perf_counter())

    ends = Ends()
    tune.Tuner(
        tune.with_resources(Nothing, {"cpu": 1}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=2, reuse_actors=True),
        run_config=tune.RunConfig(verbose=0, storage_path=tempfile.mkdtemp(), callbacks=[ends]),
    ).fit()
    return {"s_a_trial": (ends.times[-1] - ends.times[0]) / (len(ends.times) - 1)}


def main() -> None:
    """Start Ray, run one of them, print it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", choices=("busy", "bare"))
    options.add_argument("--trials", type=int, default=40)
    chosen = options.parse_args()
    os.environ.update(QUIET | (NO_FILES if chosen.what == "bare" else {}))
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    print(json.dumps((busy if chosen.what == "busy" else bare)(chosen.trials)))
    ray.shutdown()


if __name__ == "__main__":
    main()
