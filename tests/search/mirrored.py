"""A made-up study, what MLflow has of it, and a real server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from compress.measurement import Measurement
from search.study.record import Point, StudyRecord, TrialRecord
from search.uri import unhealthy


def point(trial: int, sparsity: float) -> Point:
    params = int(1000 * (1 - sparsity)) + trial
    measured = Measurement(0.98 - sparsity / (3 + trial), 0.9, params, params, 10, 40, 30, 0.5, 0.6, "cpu", 1, 2.0)
    return Point(f"{trial}/{sparsity}", trial, {"seed": trial}, sparsity, "float", measured, "/store/x")


def trial(number: int, points: int = 3) -> TrialRecord:
    curve = tuple(point(number, n / 10) for n in range(points))
    return TrialRecord(
        number, "complete", "", {"seed": number}, {"order": "prune", "lr": 0.1}, curve, 7.0, {"train": 6.0}
    )


def reseeded(first: TrialRecord, number: int, better: float) -> TrialRecord:
    """The trial's models made with another seed, each by so much more accurate on both splits."""
    recipe = {"seed": 100 + number}
    points = tuple(
        replace(
            one,
            id=f"{number}/{one.sparsity}",
            trial=number,
            recipe=recipe,
            family=one.id,
            measured=replace(
                one.measured,
                score_validation=one.measured.score_validation + better,
                score_test=one.measured.score_test + better,
            ),
        )
        for one in first.points
    )
    return replace(first, id=number, recipe=recipe, points=points)


def study(*trials: TrialRecord) -> StudyRecord:
    reference = {"accuracy": 0.0, "params": 2000.0}
    return StudyRecord("demo", "digits", "joint", ("accuracy", "params"), reference, trials)


def report(study: StudyRecord) -> str:
    return f"<!DOCTYPE html><title>{study.name}</title>{len(study.points)} points"


def found(uri: str, wanted: str = "") -> list[Run]:
    """The runs that MLflow finds."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("paretune")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], wanted))


def everything(uri: str) -> dict[str, Run]:
    """The runs of studies and trials by name; a name met twice fails."""
    runs = [run for run in found(uri) if run.data.tags.get("paretune.kind") not in ("front", "model")]
    names = [str(run.info.run_name) for run in runs]
    assert len(set(names)) == len(names), names
    return dict(zip(names, runs, strict=True))


def history(uri: str, run: Run, key: str) -> list[tuple[int, float]]:
    return sorted((m.step, m.value) for m in MlflowClient(uri).get_metric_history(run.info.run_id, key))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def server(template: Path, folder: Path, port: int) -> Iterator[str]:
    """A real MLflow server over a database in `folder`, killed in the end."""
    folder.mkdir(exist_ok=True)
    if not (folder / "mlflow.db").exists():
        shutil.copy(template, folder / "mlflow.db")
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "files"), "--port", str(port), "--workers", "1"]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=folder)
    try:
        until = time.monotonic() + 90
        while unhealthy(uri):
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def bare_export(folder: Path) -> Path:
    """A folder with the card of an export and none of its models."""
    folder.mkdir()
    given = {"channels": 1, "size": 8, "mean": [4.9], "std": [6.0], "classes": ["even", "odd"]}
    (folder / "card.json").write_text(json.dumps({"input": given}))
    (folder / "card.md").write_text("# A network\n")
    return folder
