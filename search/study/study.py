"""A study's folder: the ledger, the state read from the ledger, and the lock against a second driver.

Events: `study` (once, the header), `wanted` (how many trials there are to be), `asked` (a trial begins), `point`,
`ended`, `resumed` (an unfinished trial goes back to the queue), `timed` (latencies of points, measured alone). Of
several `wanted` the last counts, and so of several events of a point: the model was made again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from compress.figures import LATENCY
from compress.quality import ACCURACY, Quality
from search.study.endings import BY_REQUEST, INTERRUPTED
from search.study.events import (
    check_asked,
    check_ended,
    check_header,
    check_named,
    check_point,
    check_timed,
    check_wanted,
)
from search.study.ledger import Event, Ledger
from search.study.names import StudyError, check_name, known_studies
from search.study.record import (
    Choice,
    Point,
    Status,
    StudyRecord,
    TrialRecord,
    measurement_from_json,
    point_event,
)

VERSION = 1
TEACHER = "teacher"
"""Value of `latency_of` in a header: the reference's latency is the teacher's."""
RENEWED = "the study has its figures of now"
"""Remedy in messages about a model that was made again."""


@dataclass
class _Open:
    """A trial's state after the events so far."""

    recipe: Mapping[str, object]
    choices: Mapping[str, Choice]
    optuna: int | None
    status: Status = "running"
    reason: str = ""
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)


class Study:
    """A study below `home`; read with `record`, write with the verbs. Only one process may write.

    `wanted` is the number of trials asked for, None in a study of an earlier version. `wants_all` is true where that is
    every recipe of a grid.
    """

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.name = home, check_name(name)
        self.folder = home / "studies" / name
        self.store = str(home / "store")
        self.ledger = Ledger(self.folder)
        self.header: Event = {}
        self.wanted: int | None = None
        self.wants_all = False
        self.quality = ACCURACY
        self.trials: dict[int, _Open] = {}
        self._records: dict[int, TrialRecord] = {}
        self._holders: dict[str, list[int]] = {}
        self._timed: set[str] = set()
        self.made: list[Path] = []
        self._take(self.ledger.events)

    def read_on(self) -> None:
        """Take up what another process has written since the last reading; StudyError as for a new reading."""
        self._take(self.ledger.news)

    def _take(self, events: Callable[[], Iterator[Event]]) -> None:
        name = self.name
        try:
            for event in events():
                self._apply(event)
                check_named(event, self.header)
        except OSError as error:
            raise StudyError(f"study {name}: must have a file {self.ledger.path}, got {error.strerror}") from error
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            if isinstance(error, StudyError):
                raise
            raise StudyError(
                f"study {name}: {self.ledger.path} must be whole, got an event that does not fit those before it "
                f"({type(error).__name__}: {error}); put back a copy, or begin a new study over the same store"
            ) from error
        if self.trials and not self.exists:
            raise StudyError(f"study {name}: {self.ledger.path} must begin with the study's own event, got none")

    @property
    def exists(self) -> bool:
        """Return whether the ledger has a header."""
        return bool(self.header)

    def lock(self) -> FileLock:
        """Acquire and return the driver's lock; StudyError when another process holds the lock."""
        self.made = [folder for folder in self.folder.parents if not os.path.exists(folder)]
        lock = FileLock(self.folder / "driver.lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            raise StudyError(f"study {self.name}: another search is running it; wait for it or stop it first") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise StudyError(f"home must be writable, got {self.home}: {self.folder}: {why}") from error
        return lock

    def forsake(self) -> None:
        """Remove the folder of a study never begun and the folders above made by `lock`; call under the lock."""
        if not self.exists:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):  # another process uses the folder by now
                for folder in self.made:
                    folder.rmdir()

    def begin(self, **header: object) -> None:
        """Write the header of a new study."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._apply(self.ledger.append("study", version=VERSION, name=self.name, **header))

    def want(self, trials: int, *, of_all: bool = False) -> None:
        """Record how many trials the study is to have, unless known; with `of_all` that is every recipe of a grid."""
        if (trials, of_all) != (self.wanted, self.wants_all):
            self._apply(self.ledger.append("wanted", trials=trials, all=of_all))

    def ask(self, recipe: Mapping[str, object], choices: Mapping[str, Choice], optuna: int | None) -> int:
        """Record the beginning of a trial; return the trial's number."""
        trial = len(self.trials)
        self._apply(self.ledger.append("asked", trial=trial, recipe=dict(recipe), choices=dict(choices), optuna=optuna))
        return trial

    def add(self, trial: int, point: Mapping[str, Any]) -> Point | None:
        """Record a point `{id, sparsity, variant, measured, path}`; None when the trial has the point already."""
        return next(iter(self.add_all(trial, [point])), None)

    def add_all(self, trial: int, points: Sequence[Mapping[str, Any]]) -> list[Point]:
        """Record points in a single write; return the points new to the trial.

        PointError, and no write, if a point is invalid.
        """
        for point in points:
            check_point(point)
        there = self.trials[trial].points
        new = {point["id"]: {"trial": trial, **point} for point in points if point["id"] not in there}
        for event in self.ledger.append_all("point", list(new.values())) if new else ():
            self._apply(event)
        return [there[key] for key in new]

    def time(self, latencies: Mapping[str, tuple[float, float]]) -> None:
        """Record latencies measured alone on the study's target: median and 95th percentile in ms by point."""
        if latencies:
            self._apply(self.ledger.append("timed", latencies={key: list(both) for key, both in latencies.items()}))

    def renew(self, point: Mapping[str, Any]) -> bool:
        """Record the figures of a model made again, for all its trials; return whether the figures changed.

        A GPU adds up in varying order, so the model in the store may be another. PointError, and no write, for an
        invalid point.
        """
        known = [self.trials[trial].points[point["id"]] for trial in self._holders.get(point["id"], ())]
        if not known:
            return False
        check_point(point)
        measured = measurement_from_json(point["measured"])
        other = [one for one in known if not one.measured.is_of(measured)]
        events = [
            {"trial": one.trial, **point_event(one.id, one.sparsity, one.variant, measured), "family": one.family}
            for one in other
        ]
        for event in self.ledger.append_all("point", events) if events else ():
            self._apply(event)
        return bool(other)

    def end(self, trial: int, status: Status, reason: str, seconds: float, spent: Mapping[str, float]) -> None:
        """Record the end of a trial."""
        values = {"status": status, "reason": reason, "seconds": round(seconds, 3), "spent": dict(spent)}
        self._apply(self.ledger.append("ended", trial=trial, **values))

    @property
    def originals(self) -> int:
        """Return the number of trials with the study's own seed; the others repeat a recipe with another seed."""
        return sum(trial.recipe["seed"] == self.header["seed"] for trial in self.trials.values())

    @property
    def unfinished(self) -> list[int]:
        """Return the trials still running or interrupted; the teacher, which shares are of, until it is measured."""
        return [
            n
            for n, t in self.trials.items()
            if t.status == "running" or t.reason == INTERRUPTED or (n == 0 and t.reason == BY_REQUEST and not t.points)
        ]

    def requeue(self, trials: Sequence[int] | None = None) -> list[int]:
        """Put `trials`, or all unfinished trials, back to running; return their numbers."""
        back = self.unfinished if trials is None else list(trials)
        for trial in back:
            self._apply(self.ledger.append("resumed", trial=trial))
        return back

    @property
    def reference_point(self) -> dict[str, float]:
        """Return the header's reference point, with the latency of the teacher's point once measured in a trial.

        The header's latency was measured by the driver, which may have no GPU. Studies of earlier versions keep the
        header's.
        """
        points = self.trials[0].points if 0 in self.trials else {}
        teacher = next(iter(points.values()), None)
        reference: dict[str, float] = self.header["reference_point"]
        if teacher is None or self.header.get("latency_of") != TEACHER:
            return reference
        return {**reference, LATENCY: teacher.measured.latency_ms}

    @property
    def record(self) -> StudyRecord:
        """Return everything known as frozen values; StudyError for a missing study.

        A trial without changes since the last call is the same object as before.
        """
        if not self.exists:
            raise StudyError(f"study {self.name}: there is none in {self.home}; {known_studies(self.home, self.name)}")
        return StudyRecord(
            name=self.name,
            task=self.header["task"],
            space=self.header["space"],
            objectives=tuple(self.header["objectives"]),
            reference_point=self.reference_point,
            trials=tuple(self._records.values()),
            store=self.store,
            quality=self.quality,
            scale=self.header.get("scale"),
            training=self.header.get("training", {}),
            recovery=self.header.get("recovery", {}),
            metrics=self.header.get("metrics", {}),
            header=self.header,
            timed=frozenset(self._timed),
        )

    def _apply(self, event: Event) -> None:
        kind = event["event"]
        if kind == "study":
            if event["version"] > VERSION:
                raise StudyError(f"study {self.name}: written by a newer version, {event['version']} > {VERSION}")
            check_header(event)
            self.header = event
            self.quality = Quality.from_json(event.get("quality"))
            self.store = event.get("store", self.store)
        elif kind == "wanted":
            check_wanted(event)
            self.wanted, self.wants_all = event["trials"], event["all"]
        elif kind == "timed":
            check_timed(event)
            self._take_latencies(event["latencies"])
        elif kind in ("asked", "point", "ended", "resumed"):
            self._apply_to_trial(kind, event)
            self._note(event["trial"])

    def _note(self, number: int) -> None:
        t = self.trials[number]
        self._records[number] = TrialRecord(
            number, t.status, t.reason, t.recipe, t.choices, tuple(t.points.values()), t.seconds, t.spent
        )

    def _take_latencies(self, found: Mapping[str, tuple[float, float]]) -> None:
        """Give the points their measured latencies, in all their trials."""
        for key, (median, p95) in found.items():
            for trial in self._holders.get(key, ()):
                point = self.trials[trial].points[key]
                measured = replace(point.measured, latency_ms=median, latency_p95_ms=p95)
                self.trials[trial].points[key] = replace(point, measured=measured)
                self._note(trial)
            self._timed.add(key)

    def _apply_to_trial(self, kind: str, event: Event) -> None:
        if kind == "asked":
            check_asked(event)
            if event["trial"] in self.trials:
                raise ValueError(f"trial {event['trial']} was asked for before")
            self.trials[event["trial"]] = _Open(event["recipe"], event["choices"], event["optuna"])
        elif kind == "point":
            trial = self.trials[event["trial"]]
            check_point(event)
            if event["id"] not in trial.points:
                self._holders.setdefault(event["id"], []).append(event["trial"])
            self._timed.discard(event["id"])
            trial.points[event["id"]] = Point(
                event["id"],
                event["trial"],
                trial.recipe,
                event["sparsity"],
                event["variant"],
                measurement_from_json(event["measured"]),
                f"{self.store}/{event['path']}",
                event.get("family", ""),
                self.quality,
            )
        elif kind == "ended":
            trial = self.trials[event["trial"]]
            check_ended(event)
            trial.status, trial.reason = event["status"], event["reason"]
            trial.seconds += event["seconds"]  # added to the seconds before the trial was resumed
            before, now = trial.spent, event["spent"]
            trial.spent = {name: before.get(name, 0.0) + now.get(name, 0.0) for name in {**before, **now}}
        else:
            trial = self.trials[event["trial"]]
            trial.status, trial.reason = "running", ""
