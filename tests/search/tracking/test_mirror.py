"""The mirror's process: what MLflow has at the end, and what is said when the process or MLflow fails."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards import report
from search.settings import Settings
from search.study.study import Study
from search.tracking.client import connect
from search.tracking.mirror import Mirror

Event = Callable[..., dict[str, Any]]


@pytest.fixture
def mirror(uri: str, tmp_path: Path) -> Iterator[Mirror]:
    """The mirror of study `s` of the home at `tmp_path`, whose database is there."""
    made = Mirror(Settings("s", home=tmp_path), report)
    yield made
    if made._process is not None:
        made._process.kill()
        made._process.wait()
        for pipe in filter(None, (made._process.stdin, made._process.stdout)):
            pipe.close()


def runs(uri: str) -> dict[str, str]:
    """Name and status of all runs in MLflow."""
    client = connect(uri)
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return {str(run.info.run_name): str(run.info.status) for run in found}


def carry_out(study: Study, form: Callable[[int], dict[str, Any]], event: Event) -> None:
    trial = study.ask(form(0), {}, None)
    study.add(trial, event("key"))
    study.end(trial, "complete", "", 1.0, {})


def test_what_is_written_while_the_process_runs_is_in_mlflow_at_the_end(
    mirror: Mirror, study: Study, uri: str, form: Callable[[int], dict[str, Any]], event: Event
) -> None:
    mirror.start()
    mirror.post()
    carry_out(study, form, event)
    mirror.post()
    assert mirror.close(120), mirror.trouble
    assert runs(uri)["s"] == runs(uri)["trial 0"] == "FINISHED"
    client = connect(uri)
    (run,) = client.search_runs(["1"], "attributes.run_name = 's'")
    assert run.data.tags["mlflow.source.name"] == sys.argv[0], "the driver's own"
    assert list((study.home / "mlartifacts").rglob("report.html")), "the report is drawn there"


def test_a_process_that_died_is_a_sentence_with_what_to_type(mirror: Mirror, study: Study) -> None:
    mirror.start()
    assert mirror._process is not None
    mirror._process.kill()
    for _ in range(3):
        mirror.post()
    assert not mirror.close(60)
    assert "could not be written (the mirror's process ended with -9): nothing is lost, run `" in mirror.trouble
    assert "paretune sync s" in mirror.trouble


def test_a_process_that_hangs_is_ended_after_the_time_given_and_holds_nobody_up(mirror: Mirror, study: Study) -> None:
    mirror.start()
    assert mirror._process is not None
    os.kill(mirror._process.pid, signal.SIGSTOP)
    for _ in range(100_000):  # more than a pipe holds
        mirror.post()
    assert not mirror.close(0.1)
    assert "could not be brought up to date within 0.1 s" in mirror.trouble
    assert mirror._process.wait() == -signal.SIGKILL


def test_without_its_driver_the_process_ends_and_writes_no_more(mirror: Mirror, study: Study, uri: str) -> None:
    mirror.start()
    assert mirror._process is not None
    assert mirror._process.stdin is not None
    mirror._process.stdin.close()
    mirror._process.stdin = None
    assert mirror._process.wait(60) == 0
    assert runs(uri) == {}


def test_no_password_is_among_the_arguments_of_the_process(study: Study) -> None:
    mirror = Mirror(Settings("s", home=study.home, tracking_uri="http://me:secret@127.0.0.1:9"), report)
    mirror.start()
    assert mirror._process is not None
    assert "secret" not in Path(f"/proc/{mirror._process.pid}/cmdline").read_text()
    mirror.close(120)
    assert "secret" not in mirror.trouble


def test_a_process_that_cannot_be_started_does_not_stop_the_search(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("subprocess.Popen", full)
    mirror.start()
    mirror.post()
    mirror.finish()
    assert not mirror.close(1)
    assert "no process for it: Cannot allocate memory" in mirror.trouble


def test_a_mirror_that_was_never_started_is_complete(mirror: Mirror) -> None:
    mirror.post()
    assert mirror.close(1)


def test_an_mlflow_that_cannot_be_reached_is_the_mirrors_trouble(
    study: Study, form: Callable[[int], dict[str, Any]], event: Event
) -> None:
    carry_out(study, form, event)
    mirror = Mirror(Settings("s", home=study.home, tracking_uri="http://127.0.0.1:9"), report)
    mirror.start()
    mirror.post()
    assert not mirror.close(120)
    assert "MLflow at http://127.0.0.1:9" in mirror.trouble or "127.0.0.1:9 says" in mirror.trouble
