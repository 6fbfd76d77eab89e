"""The driver of a search: hands out recipes, writes down what comes back, tells Optuna. Knows nothing of Ray.

Order of writing: first the ledger, then Optuna, then the mirrors. Whatever dies in between, the ledger is right.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from compress.data.tasks import Task
from compress.recipe import Recipe
from search.running.replicates import ENOUGH, Replicates, Wanted, on_front
from search.sampling.auto import OVER, Auto
from search.sampling.bounds import UNBOUNDED, Bounds
from search.sampling.connection import Connection
from search.sampling.feasibility import Feasibility
from search.sampling.in_progress import InProgress
from search.sampling.optuna_study import OptunaStudy
from search.sampling.suggest import Suggester
from search.study.events import PointError, check_point
from search.study.front import Place, measured_on, mixed
from search.study.record import Point, Status, StudyRecord
from search.study.seeds import front_of
from search.study.study import EARLY, INTERRUPTED, RENEWED, Study
from spaces import Space

SET_ASIDE = 4
"""Trials that may stand back because a running one makes what they need; asked too far ahead, Optuna knows less."""


class NotNow(Exception):
    """Nothing can be handed out yet: ask again."""


class Driver:
    """One search's state. `heard` is called after everything that changes it; `trials` is the number wanted in all.

    With `early_stopping` a trial of which the sampler `auto` expects little more is ended early. With more `seeds` than
    one the front is made again, by further trials, once there is nothing else to hand out; with `repeated` those points
    are made again instead, and nothing else is done.
    """

    def __init__(
        self,
        study: Study,
        optuna_study: OptunaStudy,
        space: Space,
        task: Task,
        trials: int,
        seed: int,
        bounds: Bounds = UNBOUNDED,
        earlier: StudyRecord | None = None,
        *,
        early_stopping: bool = True,
        seeds: int = 1,
        repeated: Wanted | None = None,
    ) -> None:
        self.study, self.optuna_study, self.space, self.task = study, optuna_study, space, task
        self.trials, self.seed, self.early_stopping = trials, seed, early_stopping
        self.heard: Callable[[], None] = lambda: None
        self.failure: Exception | None = None
        self.exhausted = repeated is not None
        self.notes: list[str] = []
        objectives = study.header["objectives"]
        self._places: dict[Place, Point] = {measured_on(point, objectives): point for point in study.record.points}
        for point in study.record.points[:1]:
            optuna_study.compares(point)
        self.connection = Connection(self._catch_up, self._say)
        self.started: dict[int, float] = {}
        self.queue = deque(study.requeue() if repeated is None else [])
        known = {trial: Recipe.from_json(state.recipe) for trial, state in study.trials.items()}
        self.recipes = {recipe.id: trial for trial, recipe in known.items()}
        self.originals = study.originals
        self.replicates = Replicates(seeds, seed, task.fingerprint, repeated or on_front)
        self.in_progress = InProgress(task.fingerprint, (point.id for point in study.record.points))
        self.auto = Auto(study, space, task, seed, self.in_progress, bounds) if optuna_study.aimed else None
        feasibility = Feasibility(task, bounds, self._say)
        self.suggester = Suggester(study, optuna_study, space, task.name, seed, feasibility, self.auto, self._say)
        for trial in self.queue:
            self.in_progress.add(trial, known[trial])
        if not study.trials:
            self._queue(space.baseline(task.name, seed), {}, None)
            if earlier is not None:
                self._begin_with(earlier)
            if self.auto is None:
                optuna_study.begin(space.beginnings)
        if earlier is not None and self.auto is not None:
            self.auto.learn_from(earlier, self.suggester.takes)

    def _begin_with(self, earlier: StudyRecord) -> None:
        """What is on the front of another study is tried first, as far as it is of models that are asked for here."""
        best = {family.points[0].trial for family in front_of(earlier.points, self.optuna_study.objectives)}
        asked = [trial for trial in earlier.trials if trial.choices and "seed" not in trial.choices]
        found = [trial.choices for trial in asked if trial.id in best]
        fits = [choices for choices in found if self.suggester.takes(choices)]
        self.optuna_study.begin(fits)
        if len(fits) < len(found):
            self.notes.append(
                f"of {len(found)} recipes on the front of {earlier.name} {len(found) - len(fits)} are of models that "
                "this study is not about, and are not tried"
            )

    def next(self) -> dict[str, Any] | None:
        """The next trial `{"trial", "recipe"}`, or None when there is none left.

        One that would wait for a model in the making stands back, unless there is nothing else to do. NotNow while
        Optuna's database does not answer, TimeoutError when it has not for long (`search/line.py`).
        """
        while True:
            ready = next((trial for trial in self.queue if not self.in_progress.would_wait(trial)), None)
            if ready is not None:
                return self._hand_out(ready)
            if self._asked_all or len(self.queue) >= SET_ASIDE:
                if self.queue:
                    return self._hand_out(self.queue[0])
                again = self.replicates.due(self.study.record, self.recipes)
                if again is None:
                    self._wait_for_others()
                    return None
                self._repeat(*again)
                continue
            if not self.connection.reach(self._propose):
                if self.queue:
                    return self._hand_out(self.queue[0])
                raise NotNow

    @property
    def _asked_all(self) -> bool:
        return self.originals >= self.trials or self.exhausted

    def _wait_for_others(self) -> None:
        """NotNow while what runs may still come to the front, and would have to be made with other seeds."""
        if self.replicates.seeds > 1 and any(trial.status == "running" for trial in self.study.trials.values()):
            raise NotNow

    def look_ahead(self) -> None:
        """Have one trial at hand before a worker is free: to ask and to check takes longer than to hand out."""
        if not self.queue and not self._asked_all and self.started:
            self.connection.reach(self._propose)

    def _queue(self, recipe: Recipe, choices: dict[str, Any], number: int | None) -> None:
        form = recipe.as_json()
        trial = self.study.ask(form, choices, number)
        self.recipes[recipe.id] = trial
        self.originals += recipe.seed == self.seed
        self._line_up(trial, recipe)

    def _repeat(self, recipe: Recipe, choices: dict[str, Any]) -> None:
        """A trial that was begun before goes on."""
        if recipe.id not in self.recipes:
            self._queue(recipe, choices, None)
        else:
            self.study.requeue([self.recipes[recipe.id]])
            self._line_up(self.recipes[recipe.id], recipe)

    def _line_up(self, trial: int, recipe: Recipe) -> None:
        self.in_progress.add(trial, recipe)
        self.queue.append(trial)

    def _hand_out(self, trial: int) -> dict[str, Any]:
        self.queue.remove(trial)
        self.in_progress.start(trial)
        self.started[trial] = time.monotonic()
        self.heard()
        return {"trial": trial, "recipe": json.dumps(self.study.trials[trial].recipe)}

    def _propose(self) -> None:
        """Ask for one new recipe and queue it."""
        asked = self.suggester.next(self.recipes)
        if asked is None:
            self.exhausted = True
        else:
            self._queue(*asked)

    def add(self, trial: int, points: Sequence[dict[str, Any]], spent: Mapping[str, float] | None = None) -> None:
        """A worker has made points; `spent` are the seconds since the trial began, by what they went into."""
        number = self.study.trials[trial].optuna
        self.in_progress.made(trial, [point["id"] for point in points])
        sound, odd = list(points), None
        for place, point in enumerate(points):
            try:
                check_point(point)
            except PointError as error:
                sound, odd = sound[:place], error
                break
        families = self.replicates.families(self.study.trials[trial].recipe)
        sound = [{**point, "family": families[point["id"]]} if point["id"] in families else point for point in sound]
        for point in sound:
            if self.study.renew(point):
                self.notes.append(f"the model of point {point['id']} was made again and is another one now: {RENEWED}")
        for added in self.study.add_all(trial, sound):
            if self.optuna_study.compares(added) and number is not None:
                self.connection.tell(partial(self.optuna_study.tell_point, number, added))
            if self.auto is not None:
                self.auto.learn(trial, added)
            self._compare(added)
        seconds = time.monotonic() - self.started.get(trial, time.monotonic())
        if odd is not None:
            self.end(trial, "failed", str(odd), seconds, spent or {})
        elif self.early_stopping and self.auto is not None and self.auto.gives_up(trial):
            self.end(trial, "stopped", EARLY, seconds, spent or {})
        elif self.replicates.is_enough(self.study.record, trial):
            self.end(trial, "stopped", ENOUGH, seconds, spent or {})
        self.heard()

    def _compare(self, added: Point) -> None:
        """Say once that points are not compared with each other, where latency is an objective."""
        objectives = self.study.header["objectives"]
        known = len(self._places)
        self._places.setdefault(measured_on(added, objectives), added)
        if known == 1 < len(self._places):
            first = next(iter(self._places.values())).measured
            self.notes.append(
                f"{mixed(self._places.values(), objectives)}, and only those of {first.device} decide what is tried "
                "next; give the search nodes of one kind, or --objectives without latency_ms"
            )

    def has_ended(self, trial: int) -> bool:
        """Whether nothing more is wanted of it."""
        return self.study.trials[trial].status != "running"

    def end(self, trial: int, status: Status, reason: str, seconds: float, spent: Mapping[str, float]) -> None:
        """A trial is over; one that ended already stays as it is."""
        if self.has_ended(trial):
            return
        self.in_progress.end(trial)
        self.study.end(trial, status, reason, seconds, spent)
        if self.auto is not None and status in OVER:
            self.auto.ended(trial)
        number = self.study.trials[trial].optuna
        if number is not None and reason != INTERRUPTED:
            points = list(self.study.trials[trial].points.values())
            self.connection.tell(partial(self.optuna_study.tell_end, number, points if status == "complete" else []))
        self.heard()

    def close(self) -> None:
        """Whatever still runs was interrupted; `--resume` takes it up again."""
        now = time.monotonic()
        for trial, state in self.study.trials.items():
            if state.status == "running":
                self.end(trial, "stopped", INTERRUPTED, now - self.started.get(trial, now), {})
        self.study.ledger.settle()
        self.connection.close()

    def _catch_up(self) -> None:
        self.optuna_study.catch_up(self.study.record, {n: t.optuna for n, t in self.study.trials.items()})

    def _say(self, note: str) -> None:
        self.notes.append(note)
        self.heard()

    def guard(self, action: Callable[[], None]) -> None:
        """Run an action of the driver's loop; what it raises is kept and ends the search instead of Tune's loop."""
        try:
            action()
        except NotNow:
            raise
        except Exception as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """The search cannot go on; the first reason counts."""
        if self.failure is None:
            self.failure = error
            logging.getLogger(__name__).debug("driver", exc_info=error)
