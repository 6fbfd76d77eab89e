"""The obvious search, for comparison: Ray Tune and its Optuna searcher as they come, one point a trial.

    python -m benchmarks.search.plain_search tpe|nsga2|random|asha --out FILE [--seed 0] [--seconds 1800] [--teachers D]

Same space (joint on digits), same training code, two trials at once. The teachers are trained before, for nothing, or
are in DIR from an earlier search with the same seed; what else a point needs, its trial trains. `asha` takes
configurations by chance, reports every level of their curves, and Ray's scheduler ends those that are less accurate.
Ends after so many compute seconds: of all that was trained and measured, without what Ray needs to start a trial.
Writes a line of JSON a point: compute seconds, wall seconds and figures. Tune is not set up for this project here, so
`search` is not imported.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from ray.tune.stopper import Stopper

from benchmarks.search.one_point import points_of
from benchmarks.search.teachers import teach
from compress.data.tasks import load_task
from compress.errors import RecipeError
from compress.measurement import Measurement
from compress.pipeline import Pipeline
from compress.store.folder import Store
from spaces.joint import JOINT

TASK = "digits"
OBJECTIVES = {"score_validation": "max", "params": "min", "macs": "min"}
WAYS = ("tpe", "nsga2", "random", "asha")


FIGURES = {field.name for field in fields(Measurement)}


def train(config: dict[str, Any], *, seed: int, teachers: Path, whole: bool) -> None:
    """One trial, in a store that has the teachers alone."""
    torch.set_num_threads(1)
    recipe = JOINT.build(optuna.trial.FixedTrial(config), TASK, seed)
    with tempfile.TemporaryDirectory() as folder:
        home = shutil.copytree(teachers, Path(folder) / "store")
        for made, spent in points_of(Pipeline(load_task(TASK), Store(home)), recipe, config, whole):
            tune.report({**asdict(made.measured), "spent": spent})


class Spent(Stopper):
    """Adds up the compute seconds, writes the points, and ends the search when they are spent."""

    def __init__(self, out: Path, seconds: float) -> None:
        self.out, self.seconds = out, seconds
        self.spent, self.started = 0.0, time.time()
        self.seen: set[tuple[str, int]] = set()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never ends a trial alone."""
        at = trial_id, int(result["training_iteration"])
        if at in self.seen:  # Tune repeats the last one of a trial when that ends
            return False
        self.seen.add(at)
        figures = {name: value for name, value in result.items() if name in FIGURES}
        self.spent += result["spent"]
        line = {"compute": self.spent, "wall": time.time() - self.started, "trial": trial_id, "measured": figures}
        with self.out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return False

    def stop_all(self) -> bool:
        """Whether it was enough."""
        return self.spent >= self.seconds


def suggest(trial: optuna.Trial, *, seed: int) -> None:
    """Ask for a recipe; one that cannot be is refused in its trial."""
    with suppress(RecipeError):
        JOINT.build(trial, TASK, seed)


def searcher(way: str, seed: int) -> OptunaSearch:
    """Ray's, over the joint space."""

    space = partial(suggest, seed=seed)  # pickled by the searcher
    if way == "tpe":
        return OptunaSearch(space, metric=list(OBJECTIVES), mode=list(OBJECTIVES.values()), seed=seed)
    if way == "asha":
        sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed)
        return OptunaSearch(space, metric="score_validation", mode="max", sampler=sampler)
    samplers = {"nsga2": optuna.samplers.NSGAIISampler, "random": optuna.samplers.RandomSampler}
    sampler = samplers[way](seed=seed)
    return OptunaSearch(space, metric=list(OBJECTIVES), mode=list(OBJECTIVES.values()), sampler=sampler)


def main() -> None:
    """Train the teachers, start Ray, search."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("way", choices=WAYS)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--seconds", type=float, default=1800.0)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--teachers", type=Path)
    chosen = options.parse_args()
    os.environ.update({"RAY_AIR_NEW_OUTPUT": "0", "RAY_USAGE_STATS_ENABLED": "0"})
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "1"
    import ray

    with tempfile.TemporaryDirectory() as folder:
        teachers = (chosen.teachers or Path(folder) / "teachers").resolve()
        teach(teachers, TASK, chosen.seed)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        whole = chosen.way == "asha"
        scheduler = ASHAScheduler(metric="score_validation", mode="max", max_t=9, grace_period=1) if whole else None
        tune.Tuner(
            tune.with_resources(partial(train, seed=chosen.seed, teachers=teachers, whole=whole), {"cpu": 1}),
            tune_config=tune.TuneConfig(
                search_alg=searcher(chosen.way, chosen.seed), scheduler=scheduler, num_samples=-1
            ),
            run_config=tune.RunConfig(
                verbose=0, storage_path=str(Path(folder) / "ray"), stop=Spent(chosen.out.resolve(), chosen.seconds)
            ),
        ).fit()
        ray.shutdown()


if __name__ == "__main__":
    main()
