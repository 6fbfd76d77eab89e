"""Faults that need no cluster, on real parts: what is lost, what is said, what the next command would be."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from optuna.trial import TrialState
from ray.exceptions import ActorDiedError, OutOfMemoryError

from compress.data.tasks import Task
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from search.beginning.begin_or_resume import take_up
from search.running.driver import Driver
from search.running.job import Job, StepResult
from search.running.sources import NotNow
from search.running.tune_loop import _Callback
from search.running.tune_scheduler import Scheduler
from search.running.worker import Compression
from search.sampling import connection as line_file
from search.sampling.optuna_study import OptunaStudy, answering, open_storage
from search.study.events import PointError
from search.study.study import Study
from tests.search.running.test_driver import SPACE

Event = Callable[..., dict[str, Any]]
OBJECTIVES = ("accuracy", "params")
MEMORY = OutOfMemoryError("Task was killed due to the node running low on memory.\nMemory on the node was 9 GB.")  # type: ignore[no-untyped-call]


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """By another process, as far as SQLite is concerned."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "optuna.db"


@pytest.fixture
def driver(study: Study, digits: Task) -> Driver:
    """Two trials beside the teacher have been handed out."""
    return begun(study, digits, None)


@pytest.fixture
def distant(study: Study, digits: Task, database: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The same with Optuna in a database, which waits for no lock."""
    monkeypatch.setattr(line_file, "RETRY_S", 0.0)
    return begun(study, digits, f"sqlite:///{database}?timeout=0.01")


def begun(study: Study, digits: Task, url: str | None) -> Driver:
    optuna_study = OptunaStudy(open_storage(url, study.folder), "s", OBJECTIVES, 0)
    made = take_up(study, optuna_study, SPACE, digits, trials=6)
    while len(study.trials) < 3:
        assert made.next() is not None
    return made


def ask_for_all(driver: Driver) -> None:
    """What is in the queue, until NotNow."""
    while True:
        driver.next()


def told(driver: Driver) -> list[str]:
    return [t.user_attrs["point"] for t in driver.optuna_study.study.get_trials() if "point" in t.user_attrs]


@pytest.mark.parametrize("fault", ["locked", "gone"])
def test_a_search_outlives_its_optuna_database(distant: Driver, database: Path, event: Event, fault: str) -> None:
    with locked(database) if fault == "locked" else gone(database):
        distant.add(1, [event("key1")])
        distant.end(1, "complete", "", 1.0, {})
        distant.add(2, [event("key2")])
        with pytest.raises(NotNow):
            ask_for_all(distant)
        assert [point.id for point in distant.study.record.points] == ["key1", "key2"]
    job = distant.next()
    assert job is not None
    assert distant.failure is None
    assert told(distant) == ["key1", "key2"]
    states = [t.state for t in distant.optuna_study.study.get_trials() if "point" not in t.user_attrs]
    assert states[:2] == [TrialState.COMPLETE, TrialState.RUNNING]
    assert distant.notes[0].startswith("Optuna's database does not answer (")
    assert distant.notes[1:] == ["Optuna's database is back, and has been told of everything"]


@contextmanager
def gone(database: Path) -> Iterator[None]:
    aside = database.rename(database.with_suffix(".aside"))
    database.mkdir()
    yield
    database.rmdir()
    aside.rename(database)


def test_a_database_that_stays_away_ends_the_search_with_a_sentence(
    distant: Driver, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked(database):
        with pytest.raises(NotNow):
            ask_for_all(distant)
        monkeypatch.setattr(line_file, "PATIENCE_S", 0.0)
        distant.guard(lambda: ask_for_all(distant))
    assert str(distant.failure).startswith("Optuna's database has not answered for 0 s (")


def test_what_a_database_missed_until_the_end_is_said_and_told_on_resume(
    distant: Driver, database: Path, event: Event
) -> None:
    with locked(database):
        distant.add(1, [event("key1")])
        distant.close()
    assert distant.notes[-1] == "Optuna's database has not heard of everything; --resume tells it the rest"
    distant.optuna_study.catch_up(distant.study.record, {n: t.optuna for n, t in distant.study.trials.items()})
    assert told(distant) == ["key1"]


def test_a_database_that_is_locked_from_the_start_is_refused(distant: Driver, database: Path) -> None:
    with (
        locked(database),
        pytest.raises(ValueError, match=r"storage-url must name a database that answers, got .*locked; try again"),
        answering(),
    ):
        OptunaStudy(distant.optuna_study.study._storage, "s", OBJECTIVES, 0)


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({"params": math.nan}, "point key1: every figure must be finite, got params nan"),
        ({"score_test": math.inf}, "point key1: every figure must be finite, got score_test inf"),
        ({"macs": None}, "point key1: every figure must be finite, got macs None"),
    ],
)
def test_a_figure_that_is_no_number_fails_its_trial_alone(
    driver: Driver, event: Event, figures: dict[str, Any], sentence: str
) -> None:
    before = driver.study.ledger.path.read_text()
    report(driver, 1, StepResult([event("key1", **figures)], failed=""))
    assert (driver.study.trials[1].status, driver.study.trials[1].reason) == ("failed", sentence)
    assert driver.failure is None
    (line,) = driver.study.ledger.path.read_text().removeprefix(before).splitlines()
    assert json.loads(line)["event"] == "ended"
    assert driver.next() is not None


def report(driver: Driver, trial: int, result: StepResult) -> None:
    """As Tune hands on what a worker says."""
    _Callback(driver).on_trial_result(1, [], SimpleNamespace(config=Job(trial, {}, "").as_json()), result.as_json())


def test_a_figure_that_is_missing_fails_its_trial_and_never_reaches_the_ledger(driver: Driver, event: Event) -> None:
    point = event("key1")
    del point["measured"]["macs"]
    report(driver, 1, StepResult([point], failed=""))
    assert driver.study.trials[1].reason.endswith("missing 1 required positional argument: 'macs'")
    assert Study(driver.study.home, "s").record == driver.study.record
    with pytest.raises(PointError):
        driver.study.add(2, point)


def test_a_report_without_its_points_does_not_break_tunes_loop(driver: Driver) -> None:
    trial = SimpleNamespace(config=Job(1, {}, "").as_json(), run_metadata=SimpleNamespace())
    Scheduler(_Callback(driver).hear, driver.has_ended).on_trial_result(None, trial, {})
    assert isinstance(driver.failure, KeyError)


def test_points_that_were_heard_of_before_are_no_progress(driver: Driver, event: Event) -> None:
    ear = _Callback(driver)
    first, second = (StepResult([event(key)]).as_json() for key in ("key1", "key2"))
    assert [ear.hear(1, said) for said in (first, first, second, second, first)] == [True, False, True, False, False]


def test_a_clock_that_steps_back_changes_nothing(driver: Driver, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    for trial in (1, 2):
        driver.add(trial, [event(f"key{trial}", latency_ms=float(trial))])
        driver.end(trial, "complete", "", 1.0, {})
    times = [e["time"] for e in driver.study.ledger.events()][-4:]
    assert times == sorted(times, reverse=True)
    again = Study(driver.study.home, "s").record
    assert again == driver.study.record
    assert [point.id for point in again.points] == ["key1", "key2"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_trial_that_runs_out_of_memory_says_what_to_do(
    error: Exception, recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object) -> Iterator[None]:
        raise error
        yield

    monkeypatch.setattr(Pipeline, "run", run)
    worker = Compression(Job(0, recipe().as_json(), str(tmp_path / "store")).as_json())
    failed = worker.step()["failed"]
    assert failed.startswith("out of memory: ")
    assert failed.endswith("; a larger --cpus-per-trial runs fewer trials at once")


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ([str(MEMORY)], "out of memory: Ray ended its worker, for the machine's memory was full; a larger --cpus"),
        ([str(ActorDiedError())] * 3, "its worker died 3 times: The actor died"),
        ([str(MEMORY), str(ActorDiedError())], "its worker died 3 times: The actor died"),
        (["Traceback\n  File x\nValueError: odd"], "its worker failed (ValueError: odd)"),
        ([], "its worker died 3 times"),
    ],
    ids=["memory", "died", "memory-then-died", "raised", "nothing"],
)
def test_a_worker_that_is_gone_for_good_is_a_failed_trial_with_a_reason(
    driver: Driver, errors: list[str], reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "error.txt"
    if errors:
        file.write_text("".join(f"Failure # {n} (occurred at noon)\n{text}\n" for n, text in enumerate(errors, 1)))
    trial = SimpleNamespace(config=Job(1, {}, "").as_json(), error_file=str(file), num_failures=3)
    _Callback(driver).on_trial_error(1, [], trial)
    ended = driver.study.trials[1]
    assert ended.status == "failed"
    assert ended.reason.startswith(reason)
    assert "\n" not in ended.reason


def test_a_line_of_the_ledger_with_a_flipped_bit_is_named_and_its_study_refused(
    driver: Driver, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    driver.add(1, [event("key1")])
    lines = driver.study.ledger.path.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"event":"asked"' in line and b'"trial":1' in line)
    lines[at] = bytes([lines[at][0] ^ 1]) + lines[at][1:]
    driver.study.ledger.path.write_bytes(b"".join(lines))
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(ValueError, match=r"study s: .*ledger.jsonl must be whole, got an event .* \(KeyError: 1\)"),
    ):
        Study(driver.study.home, "s")
    assert f"line {at + 1} cannot be read, skipped" in caplog.text
