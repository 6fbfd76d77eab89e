"""A search as a job of a Ray of several nodes: submitted from elsewhere, stopped, submitted again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.study.endings import INTERRUPTED
from search.study.front import front
from search.study.study import Study
from tests.search.mirrored import free_port

RAY = f"{sys.prefix}/bin/ray"
SEARCH = f"{sys.prefix}/bin/paretune search --address auto --trials 14"
LONG = 300
NO_AGENT = "No available agent to submit job, please try again later"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where jobs are submitted to, of a head that runs no trials and two nodes, as `cluster.yaml` starts its head."""
    pytest.importorskip("aiohttp_cors", reason="jobs want Ray's dashboard: pip install -e '.[cluster]'")
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="rj-")  # paths of sockets must be short
    monkeypatch.setenv("RAY_TMPDIR", folder)
    monkeypatch.setenv("RAY_JOB_STOP_WAIT_TIME_S", "180")
    port = free_port()
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": True, "dashboard_port": port}
    )
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield f"http://127.0.0.1:{port}"
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]
        shutil.rmtree(folder, ignore_errors=True)


def ray(address: str, *words: str) -> str:
    """What `ray job ...` says; it must do, once the agent that takes jobs has come up."""
    environment = os.environ | {"RAY_API_SERVER_ADDRESS": address}
    end = time.monotonic() + LONG
    while True:
        done = subprocess.run(
            [RAY, "job", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONG,
        )
        if done.returncode == 0:
            return done.stdout
        assert NO_AGENT in done.stdout, done.stdout
        assert time.monotonic() < end, done.stdout
        time.sleep(1)


def wait(until: Callable[[], bool], said: Callable[[], str]) -> None:
    end = time.monotonic() + LONG
    while not until():
        assert time.monotonic() < end, said()
        time.sleep(0.5)


@pytest.mark.slow
def test_a_search_is_submitted_as_a_job_stopped_and_submitted_again(jobs: str, tmp_path: Path) -> None:
    search = f"{SEARCH} --home {tmp_path}"
    ray(jobs, "submit", "--no-wait", "--submission-id", "first", "--", "bash", "-c", search)
    study = tmp_path / "studies" / "demo"
    wait(
        lambda: (
            study.exists() and sum(trial.status == "complete" for trial in Study(tmp_path, "demo").trials.values()) > 3
        ),
        lambda: ray(jobs, "logs", "first"),
    )
    ray(jobs, "stop", "first")
    said = ray(jobs, "logs", "first")
    stopped = Study(tmp_path, "demo")
    assert {trial.reason for trial in stopped.record.trials if trial.status == "stopped"} >= {INTERRUPTED}, said
    assert not [trial for trial in stopped.record.trials if trial.status == "running"], said
    assert "--resume" in said
    before = {point.id for point in stopped.record.points}
    ray(jobs, "submit", "--submission-id", "second", "--", "bash", "-c", f"{search} --resume")
    assert "Job 'second' succeeded" in ray(jobs, "status", "second")
    record = Study(tmp_path, "demo").record
    assert len(record.trials) == 14
    assert {trial.status for trial in record.trials} <= {"complete", "stopped"}
    assert before <= {point.id for point in record.points}
    assert front(record.points, record.objectives)
    assert not list((tmp_path / "store" / "locks").iterdir())
