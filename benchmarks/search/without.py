"""Our search without one of its ideas, for comparison; of those that no option of `paretune search` takes out.

    python -m benchmarks.search.without sharing|curves --home DIR --name NAME --teachers DIR [--seed 0] [--trials 80]

The space joint on digits. `sharing`: every trial has a store of its own with nothing in it but the teachers, which cost
nothing, as they do a plain search (`plain_search.py`), and what to try next is weighed by what it takes
then. `curves`: a trial makes one point of its curve and what that is made from, and nobody hears of another. A recipe
is not tried twice, so each stands for one point: the first that is asked of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from benchmarks.search.one_point import chain, points_of
from benchmarks.search.teachers import teach
from compress.data.tasks import Task
from compress.estimate import Estimator
from compress.pipeline import Made
from compress.plan import Step
from compress.recipe import Recipe
from search.beginning import launch
from search.beginning.begin_or_resume import take_up
from search.running import tune_loop
from search.running.driver import Driver
from search.running.job import Job
from search.running.worker import Compression
from search.sampling.in_progress import InProgress
from search.sampling.optuna_study import OptunaStudy
from search.sampling.suggest import Asked
from search.settings import Settings
from search.study.study import Study
from spaces import Space
from spaces.space import Trial

TASK = "digits"


class Alone(Driver):
    """Hands out each trial with a store of its own, a copy of `teachers`."""

    teachers: ClassVar[Path]

    def _hand_out(self, trial: int) -> Job:
        own = shutil.copytree(self.teachers, self.study.home / "stores" / str(trial), dirs_exist_ok=True)
        return replace(super()._hand_out(trial), store=str(own))


def alone(*given: Any, **named: Any) -> Driver:
    """Take a study up, as a search does, with trials that share only the teachers."""
    with (
        patch("search.beginning.begin_or_resume.Driver", Alone),
        patch("search.beginning.begin_or_resume.InProgress", Free),
    ):
        driver = take_up(*given, **named)
    if driver.auto is not None:
        driver.auto.cost_model.known = keys(Alone.teachers)
    return driver


class Free(InProgress):
    """No trial waits for another's models."""

    def would_wait(self, trial: int) -> bool:
        """Never."""
        return False


def keys(folder: Path) -> set[str]:
    """Of the models in a store."""
    return {path.parent.name for path in folder.glob("??/*/record.json")}


@dataclass
class Pointwise(Estimator):
    """Expects one point of each recipe: the one that was `asked` for, by the recipe's id."""

    asked: Mapping[str, Mapping[str, Any]] | None = None

    def steps(self, recipe: Recipe) -> list[Step]:
        """Return the asked point alone, if the choices name the point beforehand."""
        steps = super().steps(recipe)
        choices = (self.asked or {}).get(recipe.id)
        if choices is None or any(step.sparsity is None for step in steps):
            return steps
        return chain(steps, choices)[-1:]


@dataclass(frozen=True)
class PointJob(Job):
    """A job about one point: the choices by which it is found, as JSON; null for a whole curve."""

    asked: str = "null"


class PointByPoint(Driver):
    """Hands out each trial with the choices by which its one point is found, those `asked` for by the recipe's id."""

    asked: Mapping[str, Mapping[str, Any]]
    estimator: Pointwise

    def _line_up(self, asked: Asked) -> None:
        super()._line_up(asked)
        if asked.recipe.id in self.asked:
            self.in_progress._steps[self.queue[-1]] = self.estimator.steps(asked.recipe)

    def _hand_out(self, trial: int) -> PointJob:
        job = super()._hand_out(trial)
        return PointJob(**vars(job), asked=json.dumps(self.asked.get(Recipe.from_json(job.recipe).id)))


def point_by_point(
    study: Study, optuna_study: OptunaStudy, space: Space, task: Task, trials: int, *given: Any, **named: Any
) -> PointByPoint:
    """Take a study up, as a search does, with trials of one point."""
    asked: dict[str, Mapping[str, Any]] = {}

    def build(trial: Trial, task: str, seed: int) -> Recipe:
        recipe = space.build(trial, task, seed)
        asked.setdefault(recipe.id, dict(trial.params))  # type: ignore[attr-defined]
        return recipe

    with patch("search.beginning.begin_or_resume.Driver", PointByPoint):
        driver = take_up(study, optuna_study, replace(space, build=build), task, trials, *given, **named)
    assert isinstance(driver, PointByPoint)
    driver.asked, driver.estimator = asked, Pointwise(task, asked=asked)
    if driver.auto is not None:
        driver.auto.cost_model.estimator = driver.estimator
    return driver


class OnePoint(Compression):
    """Makes the one point that its trial is about; the plain teacher's trial is whole."""

    def _points(self) -> Iterator[Made]:
        if self.points is None:
            super()._points()
            asked = json.loads(self.config["asked"])
            if asked is not None:
                assert self.pipeline is not None
                recipe = Recipe.from_json(self.job.recipe)
                self.points = (made for made, _ in points_of(self.pipeline, recipe, asked, whole=False))
        assert self.points is not None
        return self.points


def main(arguments: Sequence[str] | None = None) -> None:
    """Search."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("idea", choices=["sharing", "curves"])
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--name", required=True)
    options.add_argument("--teachers", type=Path, required=True)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--trials", type=int, default=80)
    chosen = options.parse_args(arguments)
    with ExitStack() as patched:
        if chosen.idea == "sharing":
            teach(chosen.teachers, TASK, chosen.seed)
            Alone.teachers = chosen.teachers
            patched.enter_context(patch.object(launch, "take_up", alone))
        else:
            patched.enter_context(patch.object(launch, "take_up", point_by_point))
            patched.enter_context(patch.object(tune_loop, "Compression", OnePoint))
        launch.search(Settings(chosen.name, task=TASK, trials=chosen.trials, seed=chosen.seed, home=chosen.home))


if __name__ == "__main__":
    main()
