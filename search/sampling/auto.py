"""The sampler `auto`: passes the ledger's points to `Acquisition`, and proposes values of the space."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import torch

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.estimate import Estimator
from compress.figures import LATENCY
from compress.latency.latency_model import LatencyModel
from compress.recipe import Recipe
from search.sampling.acquisition import Acquisition
from search.sampling.bounds import Bounds
from search.sampling.cost_model import CostModel
from search.sampling.in_progress import InProgress
from search.sampling.outlook import Choices
from search.study.front import ANYWHERE, Place, is_quality, measured_on, value
from search.study.record import Point, StudyRecord
from search.study.study import Study
from spaces import Space

TOGETHER = 8
"""Running trials for each further recipe of a choice: a choice takes a second, and of many workers more."""
OVER = ("complete", "failed")
"""Statuses the cost model learns from."""


def at_hand(running: int) -> int:
    """Return how many recipes to choose before they are asked for, by the number of trials at work."""
    return 1 + running // TOGETHER


class Proposal(NamedTuple):
    """Choices to enqueue in Optuna, in order, and the numbers of the running trials to give up."""

    choices: list[Choices]
    given_up: frozenset[int]


class Auto:
    """Proposes choices for a study; `in_progress` has the models stored or in the making."""

    def __init__(
        self,
        study: Study,
        space: Space,
        task: Task,
        seed: int,
        in_progress: InProgress,
        bounds: Bounds,
        latency: LatencyModel | None = None,
    ) -> None:
        reference = study.reference_point
        self.study, self.bounds, self.teacher = study, bounds, space.teacher
        self.cost_model = CostModel(Estimator(task, latency), in_progress, in_progress.there, reference)
        costs = tuple(name for name in study.header["objectives"] if not is_quality(name))
        ends = {name: min(reference[name], bounds.most.get(name, reference[name])) for name in costs}
        self.acquisition = Acquisition(
            lambda trial: space.build(trial, task.name, seed),
            self.cost_model,
            costs,
            ends,
            seed,
            limits={name: most for name, most in bounds.most.items() if name not in costs},
        )
        self.place: Place | None = None
        self.early: list[tuple[Recipe, Choices, int, Point]] = []
        self.recipes: dict[int, Recipe] = {}
        for trial, state in study.trials.items():
            for point in state.points.values():
                self.learn(trial, point)
            if state.status in OVER:
                self.ended(trial)

    def learn(self, trial: int, point: Point) -> None:
        """Learn from a trial's point.

        Where latency is an objective, costs are learned only from points on the device of the study's first point.
        """
        state = self.study.trials[trial]  # a replicate's choices were not asked by Optuna
        self.place = self.place or measured_on(point, self.acquisition.costs)
        self._add(self._recipe(trial), {} if state.optuna is None else state.choices, trial, point)
        while self.early:
            self._add(*self.early.pop(0))
        if trial == 0 and point.sparsity == 0:
            self._refer()
            self.acquisition.worst = self.bounds.worst(point.measured.score_validation)

    def _refer(self) -> None:
        """Take the teacher's latency as the reference from now on, as measured on the trials' device."""
        latency = self.study.reference_point.get(LATENCY)
        if latency is not None and LATENCY in self.acquisition.costs:
            self.cost_model.reference = {**self.cost_model.reference, LATENCY: latency}
            self.acquisition.measure_against(LATENCY, min(latency, self.bounds.most.get(LATENCY, latency)))

    def ended(self, trial: int) -> None:
        """Learn from the end of a trial, complete or failed."""
        state = self.study.trials[trial]
        if state.status == "failed":
            self.cost_model.failed(self._recipe(trial), len(state.points))
        else:
            came = sum(point.sparsity > 0 for point in state.points.values())
            self.cost_model.ended(self._recipe(trial), came)

    def learn_from(self, earlier: StudyRecord, takes: Callable[[Choices], bool]) -> None:
        """Learn from all points of another study of the same task, for choices the space `takes`.

        The plain teacher's points count if this space has the same teacher. Trials whose models cannot be found any
        more are left out.
        """
        for trial in earlier.trials:
            asked = {name: value for name, value in trial.choices.items() if name != "seed"}
            with suppress(RecipeError):
                recipe = Recipe.from_json(trial.recipe)
                if not (takes(asked) if asked else recipe.student == self.teacher):
                    continue
                for point in trial.points:  # a replicate counts without its choices
                    known = recipe, {} if "seed" in trial.choices else asked, -1 - trial.id, point
                    if LATENCY in self.acquisition.costs and self.place is None:  # the study's device is not known yet
                        self.early.append(known)
                    else:
                        self._add(*known)

    def _add(self, recipe: Recipe, choices: Choices, trial: int, point: Point) -> None:
        guess = self.cost_model.learn(recipe, point)
        if guess is not None and measured_on(point, self.acquisition.costs) == (self.place or ANYWHERE):
            costs = {name: value(point, name) for name in self.acquisition.costs}
            self.acquisition.add(choices, trial, guess, 1 - point.measured.score_validation, costs)

    def choose(self, tried: Container[str], more: int = 0) -> Proposal:
        """Propose choices, `more` than usual; empty if all recipes were `tried`.

        A trial without points is not given up.
        """
        trials = list(self.study.trials.items())  # at once: the driver may begin and end trials meanwhile
        numbers = [n for n, t in trials if t.status == "running" and t.optuna is not None]
        running: list[tuple[Choices, Recipe]] = [(self.study.trials[n].choices, self._recipe(n)) for n in numbers]
        with _one_thread():
            chosen = self.acquisition.choose(tried, running, at_hand(len(running)) + more)
        weighed = zip(numbers, chosen.given_up, strict=True)
        given_up = frozenset(number for number, poor in weighed if poor and self.study.trials[number].points)
        return Proposal([one.params for one in chosen.candidates], given_up)

    def _recipe(self, trial: int) -> Recipe:
        if trial not in self.recipes:
            self.recipes[trial] = Recipe.from_json(self.study.trials[trial].recipe)
        return self.recipes[trial]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in a single thread: the cores belong to the trials, and small matrices gain nothing from more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
