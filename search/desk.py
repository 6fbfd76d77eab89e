"""The driver's desk: hands out recipes, writes down what comes back, tells Optuna. Knows nothing of Ray.

Order of writing: first the ledger, then Optuna, then the mirrors. Whatever dies in between, the ledger is right.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from compress.costs import check, skeleton
from compress.recipe import Recipe
from compress.tasks import Task
from search.prefixes import Prefixes
from search.record import Status
from search.sampler import Proposer
from search.study import INTERRUPTED, Study
from spaces import Space

REPEATS = 50
"""Asks in a row that only repeat known recipes before the space counts as exhausted."""
STUBBORN = 5
"""Of those, the ones the sampler may have: where values are few TPE can repeat itself for good. Then chance asks."""
SET_ASIDE = 4
"""Trials that may stand back because a running one makes what they need; asked too far ahead, Optuna knows less."""


class Desk:
    """One search's state. `heard` is called after everything that changes it; `trials` is the number wanted in all."""

    def __init__(self, study: Study, proposer: Proposer, space: Space, task: Task, trials: int, seed: int) -> None:
        self.study, self.proposer, self.space, self.task = study, proposer, space, task
        self.trials, self.seed = trials, seed
        self.heard: Callable[[], None] = lambda: None
        self.failure: Exception | None = None
        self.exhausted = False
        self.notes: list[str] = []
        self.started: dict[int, float] = {}
        self.queue = deque(study.requeue())
        self.recipes = {self._id(t.recipe): n for n, t in study.trials.items()}
        self.refused: set[str] = set()
        self.possible: set[str] = set()
        self.prefixes = Prefixes(task.fingerprint, (point.id for point in study.record.points))
        for trial in self.queue:
            self.prefixes.add(trial, Recipe.from_json(study.trials[trial].recipe))
        if not study.trials:
            self._queue(space.baseline(task.name, seed), {}, None)
            proposer.begin(space.beginnings)

    def next(self) -> dict[str, Any] | None:
        """The next trial `{"trial", "recipe"}`, or None when there is none left.

        One that would wait for a model in the making stands back, unless there is nothing else to do.
        """
        while True:
            ready = next((trial for trial in self.queue if not self.prefixes.would_wait(trial)), None)
            if ready is not None:
                return self._hand_out(ready)
            if len(self.study.trials) >= self.trials or self.exhausted or len(self.queue) >= SET_ASIDE:
                return self._hand_out(self.queue[0]) if self.queue else None
            self._propose()

    def look_ahead(self) -> None:
        """Have one trial at hand before a worker is free: to ask and to check takes longer than to hand out."""
        if not self.queue and len(self.study.trials) < self.trials and not self.exhausted and self.started:
            self._propose()

    def _queue(self, recipe: Recipe, choices: dict[str, Any], number: int | None) -> None:
        form = recipe.as_json()
        trial = self.study.ask(form, choices, number)
        self.recipes[recipe.id] = trial
        self.prefixes.add(trial, recipe)
        self.queue.append(trial)

    def _hand_out(self, trial: int) -> dict[str, Any]:
        self.queue.remove(trial)
        self.prefixes.start(trial)
        self.started[trial] = time.monotonic()
        self.heard()
        return {"trial": trial, "recipe": json.dumps(self.study.trials[trial].recipe)}

    def _propose(self) -> None:
        """Ask for one new recipe and queue it; one that cannot be carried out is said, and another one asked for."""
        for repeats in range(REPEATS):
            asked = self.proposer.ask(at_random=repeats >= STUBBORN)
            recipe = self.space.build(asked, self.task.name, self.seed)
            if recipe.id in self.recipes:
                self._answer_repeat(asked.number, self.recipes[recipe.id])
            elif self._can_be_done(recipe):
                self._queue(recipe, dict(asked.params), asked.number)
                return
            else:
                self.proposer.forget(asked.number)
        self.exhausted = True

    def _can_be_done(self, recipe: Recipe) -> bool:
        if recipe.id in self.refused:
            return False
        bones = skeleton(recipe).id
        if bones in self.possible:
            return True
        try:
            check(recipe, self.task)
        except Exception as error:  # RecipeError, or whatever a library says to an odd network
            self.refused.add(recipe.id)
            self.notes.append(f"a recipe was not tried: {error}")
            return False
        self.possible.add(bones)
        return True

    def _answer_repeat(self, number: int, trial: int) -> None:
        """A recipe that ran already is not run again: the ask is told what the first one gave."""
        known = self.study.trials[trial]
        if known.status == "complete":
            self.proposer.tell_end(number, list(known.points.values()))
        else:
            self.proposer.forget(number)

    def add(self, trial: int, points: Sequence[dict[str, Any]]) -> None:
        """A worker has made points."""
        number = self.study.trials[trial].optuna
        self.prefixes.made(trial, [point["id"] for point in points])
        for added in self.study.add_all(trial, points):
            if number is not None:
                self.proposer.tell_point(number, added)
        self.heard()

    def end(self, trial: int, status: Status, reason: str, seconds: float, spent: dict[str, float]) -> None:
        """A trial is over; one that ended already stays as it is."""
        if self.study.trials[trial].status != "running":
            return
        self.prefixes.end(trial)
        self.study.end(trial, status, reason, seconds, spent)
        number = self.study.trials[trial].optuna
        if number is not None and reason != INTERRUPTED:
            points = list(self.study.trials[trial].points.values())
            self.proposer.tell_end(number, points if status == "complete" else [])
        self.heard()

    def close(self) -> None:
        """Whatever still runs was interrupted; `--resume` takes it up again."""
        now = time.monotonic()
        for trial, state in self.study.trials.items():
            if state.status == "running":
                self.end(trial, "stopped", INTERRUPTED, now - self.started.get(trial, now), {})

    def guard(self, action: Callable[[], None]) -> None:
        """Run an action of the driver's loop; what it raises is kept and ends the search instead of Tune's loop."""
        try:
            action()
        except Exception as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """The search cannot go on; the first reason counts."""
        if self.failure is None:
            self.failure = error
            logging.getLogger(__name__).debug("driver", exc_info=error)

    def _id(self, form: Any) -> str:
        return Recipe.from_json(form).id
