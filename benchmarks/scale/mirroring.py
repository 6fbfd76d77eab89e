"""What MLflow costs: a finished trial as the mirror writes it and a call a value; a trial whose server is dead."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bars import Row
from benchmarks.scale.idle import POINTS
from benchmarks.scale.replay import ByChance, begun, replay
from search.study.record import StudyRecord
from search.tracking.client import check_reachable, connect
from search.tracking.fields import bare_tags, trial_metrics, trial_params
from search.tracking.sync import Sync

CALLED = 3
"""Trials that are written a call a value: each takes seconds."""


def mirror_rows(home: Path, trials: int) -> Iterator[Row]:
    """A real SQLite database; then a server that is not there."""
    records: list[StudyRecord] = []
    replay(begun(home, "mirrored", ByChance, trials), records.append)
    whole = records[-1]
    uri = f"sqlite:///{(home / 'mirrored.db').resolve()}"
    check_reachable(uri)
    sync = Sync(uri, whole.name, home / "mirrored-files")
    sync.sync(records[0])
    start = time.perf_counter()
    sync.sync(whole)
    ours = (time.perf_counter() - start) / (trials - 1)
    theirs = statistics.fmean(a_call_a_value(uri, whole, number) for number in range(1, 1 + CALLED))
    yield Row(
        f"MLflow cost of a finished trial of {POINTS} points, SQLite, tables of the study included",
        "at least 10 times less than a call a value",
        f"{1000 * ours:.0f} ms against {theirs:.1f} s ({theirs / ours:.0f} times)",
        theirs >= 10 * ours,
    )
    yield dead_row(home, trials)


def a_call_a_value(uri: str, study: StudyRecord, number: int) -> float:
    """Seconds to write the same metrics and params of one trial one call each."""
    client = connect(uri)
    experiment = client.get_experiment_by_name("paretune")
    assert experiment is not None
    trial = study.trials[number]
    start = time.perf_counter()
    run = client.create_run(experiment.experiment_id, tags=bare_tags("called", "trial")).info.run_id
    for name, value in trial_params(trial).items():
        client.log_param(run, name, value)
    for key, figure, step in trial_metrics(trial):
        client.log_metric(run, key, figure, step=step)
    client.set_terminated(run)
    return time.perf_counter() - start


def dead_row(home: Path, trials: int) -> Row:
    """How much longer a trial holds the driver up when nobody listens at the tracking URI."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    driver = begun(home, "dead", ByChance, trials)
    sync = Sync(f"http://127.0.0.1:{port}", "dead")
    waited: list[float] = []

    def heard() -> None:
        record = driver.study.record
        start = time.perf_counter()
        sync.post(record)
        waited.append(time.perf_counter() - start)

    driver.heard = heard
    sync.start()
    replay(driver)
    longest = 1000 * max(waited)
    sync.close(30)
    return Row(
        "what a trial waits for a dead MLflow server",
        "0 s",
        f"{1000 * sum(waited) / trials:.2f} ms in all, at most {longest:.1f} ms at once; "
        + ("said at the end" if sync.trouble else "not said at the end"),
        longest < 100 and bool(sync.trouble),
    )
