"""The driver of a search, independent of Ray: hands out recipes, writes results down, informs Optuna.

Results are written into the ledger first, then into Optuna, then into the mirrors. After a crash the ledger is right.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

from compress.data.tasks import Task
from compress.recipe import Recipe
from compress.store.bucket import absolute
from search.running.job import Job
from search.running.notes import MixedDevices, untouched
from search.running.replicates import ENOUGH, Replicates
from search.running.sources import Choosing, NotNow, Source
from search.running.stop_heard import notice
from search.sampling.auto import OVER, Auto, at_hand
from search.sampling.connection import Connection
from search.sampling.in_progress import InProgress
from search.sampling.optuna_study import OptunaStudy
from search.sampling.suggest import Asked
from search.study.driver_file import Doing
from search.study.endings import BY_REQUEST, EARLY, INTERRUPTED
from search.study.events import PointError, check_point
from search.study.record import LATENCY_MODEL, Point, Status
from search.study.study import RENEWED, Study

Ending = tuple[Status, str]
"""Status at the end of a trial, and the reason."""


class Driver:
    """The state of a search. `search/beginning/begin_or_resume.py` makes a driver; the constructor writes nothing.

    The driver asks its `sources` for trials, in order, and calls `heard` after every change of the state. `trials` is
    the number wanted in all, without replicates; 0 for replicates alone. `at_work` has the trials handed out and not
    ended. `board` names the search to its workers, `doing` is their last word; `requests` are trials to stop, None for
    the search (`presence.py` fills in both). `left` returns the seconds expected to the end. While `is_choosing`
    returns true, another thread uses the samplers (`aside.py`), and what they are to learn is kept for later.
    """

    def __init__(
        self,
        study: Study,
        optuna_study: OptunaStudy,
        task: Task,
        replicates: Replicates,
        in_progress: InProgress,
        auto: Auto | None = None,
    ) -> None:
        self.study, self.optuna_study, self.task = study, optuna_study, task
        self.replicates, self.in_progress, self.auto = replicates, in_progress, auto
        self.sources: Sequence[Source] = ()
        self.heard: Callable[[], None] = lambda: None
        self.failure: Exception | None = None
        self.notes: list[str] = []
        points = study.record.points
        self._devices = MixedDevices(study.header["objectives"], points)
        for point in points[:1]:
            optuna_study.compares(point)
        self.connection = Connection(self._catch_up, self.say)
        self.started: dict[int, float] = {}
        self.at_work: dict[int, float] = {}
        self.board = uuid4().hex
        self.doing: tuple[Doing, ...] = ()
        self.requests: deque[int | None] = deque()
        self.is_stopping = False
        self.left: Callable[[], float | None] = lambda: None
        self.is_choosing: Callable[[], bool] = lambda: False
        self._unheard: deque[Callable[[], None]] = deque()
        self.queue: deque[int] = deque()
        self.trials = 0
        self.recipes = {Recipe.from_json(state.recipe).id: trial for trial, state in study.trials.items()}
        self.given_up: frozenset[int] = frozenset()

    def next(self) -> Job | None:
        """Hand out the next trial; None when no trial is left.

        A trial that needs a model in the making stays in the queue, unless no other trial is left. NotNow while a
        source has to wait, Choosing while the next recipe is being chosen.
        """
        while not self.is_stopping:
            ready = next((trial for trial in self.queue if not self.in_progress.would_wait(trial)), None)
            if ready is not None:
                return self._hand_out(ready)
            try:
                found = self._take()
            except Choosing:
                raise
            except NotNow:
                if not self.queue:
                    raise
                found = False
            if not found:
                return self._hand_out(self.queue[0]) if self.queue else None
        return None

    def look_ahead(self) -> None:
        """Queue trials before workers are free: asking Optuna and checking a recipe take longer than handing out."""
        if self.started and len(self.queue) < at_hand(len(self.at_work)):
            with suppress(NotNow):
                self._take(reserve=1)

    def _take(self, reserve: int = 0) -> bool:
        """Queue the next trial of the first source with any left; False if no source has any or the queue is full."""
        self.inform()
        for source in self.sources:
            if len(self.queue) + reserve >= source.ahead:
                return False
            answer = source.next(self.recipes)
            if answer.given_up is not None:
                self.given_up = answer.given_up
            if answer.asked is not None:
                self._line_up(answer.asked)
                return True
        return False

    def _line_up(self, asked: Asked) -> None:
        """Queue a trial: a new trial begins, an ended trial goes back to running."""
        trial = asked.trial
        if trial is None:
            trial = self.study.ask(asked.recipe.as_json(), asked.choices, asked.number)
            self.recipes[asked.recipe.id] = trial
        elif self.has_ended(trial):
            self.study.requeue([trial])
        self.in_progress.add(trial, asked.recipe)
        self.queue.append(trial)

    def _hand_out(self, trial: int) -> Job:
        self.queue.remove(trial)
        self.in_progress.start(trial)
        self.at_work[trial] = self.started[trial] = time.monotonic()
        self.heard()
        return Job(
            trial,
            self.study.trials[trial].recipe,
            absolute(self.study.store),
            self.task.fingerprint,
            latency=self.study.header.get(LATENCY_MODEL),
        )

    def add(self, trial: int, points: Sequence[Mapping[str, Any]], spent: Mapping[str, float] | None = None) -> None:
        """Write down points of a worker; `spent` are the seconds since the trial began, by purpose."""
        self.in_progress.made(trial, [point["id"] for point in points])
        sound, odd = _sound(points)
        families = self.replicates.families(self.study.trials[trial].recipe)
        sound = [{**point, "family": families[point["id"]]} if point["id"] in families else point for point in sound]
        for point in sound:
            if self.study.renew(point):
                self.notes.append(f"the model of point {point['id']} was made again and is another one now: {RENEWED}")
        for added in self.study.add_all(trial, sound):
            self._learn(trial, added)
        ending = self._ending(trial, odd)
        if ending is not None:
            seconds = time.monotonic() - self.started.get(trial, time.monotonic())
            self.end(trial, *ending, seconds, spent or {})
        self.heard()

    def _learn(self, trial: int, added: Point) -> None:
        """Pass a new point on to the samplers, and note a second device."""
        self._later(partial(self._tell_point, trial, added))
        self.notes += self._devices.notes_on(added)
        if trial == 0 and len(self.study.trials[trial].points) == 1:
            self.notes += untouched(added)

    def _tell_point(self, trial: int, added: Point) -> None:
        number = self.study.trials[trial].optuna
        if self.optuna_study.compares(added) and number is not None:
            self.connection.tell(partial(self.optuna_study.tell_point, number, added))
        if self.auto is not None:
            self.auto.learn(trial, added)

    def _later(self, action: Callable[[], None]) -> None:
        self._unheard.append(action)
        self.inform()

    def inform(self) -> None:
        """Tell the samplers what they have not heard of, unless a choice is being made."""
        while self._unheard and not self.is_choosing():
            self._unheard.popleft()()

    def _ending(self, trial: int, odd: PointError | None) -> Ending | None:
        """Return the end of a trial with new points; None while the trial goes on."""
        if odd is not None:
            return "failed", str(odd)
        if trial in self.given_up and self.in_progress.has_more(trial):
            return "stopped", EARLY
        if self.replicates.is_enough(self.study.record, trial):
            return "stopped", ENOUGH
        return None

    def has_ended(self, trial: int) -> bool:
        """Return whether the trial has ended for the driver; its worker may still run."""
        return self.study.trials[trial].status != "running"

    def end(self, trial: int, status: Status, reason: str, seconds: float, spent: Mapping[str, float]) -> None:
        """End a trial; an ended trial stays as before."""
        if self.has_ended(trial):
            return
        self.in_progress.end(trial)
        self.at_work.pop(trial, None)
        self.study.end(trial, status, reason, seconds, spent)
        self._later(partial(self._tell_end, trial, status, reason))
        self.heard()

    def _tell_end(self, trial: int, status: Status, reason: str) -> None:
        if self.auto is not None and status in OVER:
            self.auto.ended(trial)
        number = self.study.trials[trial].optuna
        if number is not None and reason != INTERRUPTED:
            points = list(self.study.trials[trial].points.values())
            self.connection.tell(partial(self.optuna_study.tell_end, number, points if status == "complete" else []))

    def obey(self) -> list[int]:
        """Carry out the requests so far; return the trials whose workers are to stop.

        A trial stopped by a request keeps its points and is not resumed. A search stopped by a request ends as after
        Ctrl-C.
        """
        stopped: list[int] = []
        while self.requests:
            trial = self.requests.popleft()
            if trial is None:
                self.is_stopping = True
                notice()
                self.notes.append("stopped on request, as by paretune stop; everything finished is kept")
                stopped += self.at_work
            elif trial in self.study.trials and not self.has_ended(trial):
                if trial in self.queue:
                    self.queue.remove(trial)
                self.notes.append(f"trial {trial} {BY_REQUEST}")
                seconds = time.monotonic() - self.started.get(trial, time.monotonic())
                self.end(trial, "stopped", BY_REQUEST, seconds, {})
                stopped.append(trial)
        return stopped

    def close(self) -> None:
        """End all running trials as interrupted; `--resume` continues them."""
        now = time.monotonic()
        for trial, state in self.study.trials.items():
            if state.status == "running":
                self.end(trial, "stopped", INTERRUPTED, now - self.started.get(trial, now), {})
        self.study.ledger.settle()
        if not self.is_choosing():
            self.connection.close()

    def _catch_up(self) -> None:
        self.optuna_study.catch_up(self.study.record, {n: t.optuna for n, t in self.study.trials.items()})

    def say(self, note: str) -> None:
        """Add a note for people; a note of the thread that chooses is shown with the next change."""
        self.notes.append(note)
        if not self.is_choosing():
            self.heard()

    def guard(self, action: Callable[[], None]) -> None:
        """Run an action of the driver's loop; an exception is kept, to end the search without breaking Tune's loop."""
        try:
            action()
        except NotNow:
            raise
        except Exception as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """End the search with an error; only the first error counts."""
        if self.failure is None:
            self.failure = error
            logging.getLogger(__name__).debug("driver", exc_info=error)


def _sound(points: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], PointError | None]:
    """Return the points before the first invalid point, and its error; None if all points are valid."""
    for place, point in enumerate(points):
        try:
            check_point(point)
        except PointError as error:
            return list(points[:place]), error
    return list(points), None
