"""Client of MLflow's tracking: check a URI, and write a study's runs.

The study's ledger is the record; MLflow is a mirror that may lag, be down, or be rebuilt (`search.tracking.sync`).
Importing MLflow takes over 1.5 s and happens on first use.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from compress.errors import shortened
from search.environment import spare_loopback
from search.tracking.fields import Step
from search.tracking.registry import add_version
from search.uri import asked, database, in_memory, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

K = TypeVar("K")
EXPERIMENT = "paretune"
KIND = "custom_model_development"
"""Kind of the experiment; without the kind MLflow's pages expect language models."""
SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql")
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # seven retries hold one call up for 247 s
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""MLflow's settings where the user has not set others."""


class TrackingError(ValueError):
    """Complaint about MLflow that cannot be used as asked: who, rule, value."""


class Unanswered(TrackingError):
    """Complaint about a valid address without an answering server; `down` if the server may be back later."""

    def __init__(self, sentence: str, down: bool) -> None:
        super().__init__(sentence)
        self.down = down


@dataclass(frozen=True)
class Logged:
    """A run in MLflow: `started` in ms since 1970, `status` in MLflow's words."""

    id: str
    started: int
    status: str
    artifacts: str
    tags: Mapping[str, str]


def check_reachable(uri: str) -> None:
    """Raise TrackingError unless MLflow answers at `uri`, and Unanswered when a server does not.

    A database gets its schema here, once for all later writers.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme not in SCHEMES or ":" not in uri:
        raise TrackingError(f"tracking URI must begin with one of {', '.join(SCHEMES)}, got {shown(uri)!r}")
    if in_memory(uri):
        raise TrackingError(f"tracking URI must name a file, sqlite:///PATH, got {uri!r}")
    trouble, down = asked(uri)
    if trouble:
        raise Unanswered(f"tracking URI must name a running MLflow server, {shown(uri)} says: {trouble}", down)
    if scheme in ("http", "https"):
        return
    try:
        if scheme == "sqlite":
            file = database(uri)
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{file}.lock"):  # of four processes that make the schema at once, all die
                connect(uri).search_experiments(max_results=1)
        else:
            connect(uri).search_experiments(max_results=1)
    except Exception as error:
        raise TrackingError(f"tracking URI must name an MLflow database, {shown(uri)} says: {reason(error)}") from error


def connect(uri: str) -> MlflowClient:
    """Return a client of our own; global changes are limited to environment variables of MLflow and of proxies."""
    spare_loopback()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # stdout may be somebody's JSON
    retries = logging.getLogger("urllib3.connectionpool")
    if retries.level == logging.NOTSET:
        retries.setLevel(logging.ERROR)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


class Runs:
    """The runs of a study in MLflow, found by tags, page by page.

    `known` holds runs by trial, with the study's own run under None; `front` holds runs by point. Make a new object
    after any error, for the state of the failed write is unknown.
    """

    def __init__(self, uri: str, study: str, artifact_root: Path | None) -> None:
        self._client = connect(uri)
        self.experiment = _experiment(self._client, uri, artifact_root)
        self.known: dict[int | None, Logged] = {}
        self.front: dict[str, Logged] = {}
        for run in self._search(f"tags.`paretune.study` = '{study}'"):
            tags = run.data.tags
            kind = tags.get("paretune.kind") if tags["paretune.study"] == study else None
            if kind in ("study", "trial"):
                self._keep(self.known, int(tags["paretune.trial"]) if kind == "trial" else None, run)
            elif kind == "front":
                self._keep(self.front, tags["paretune.point"], run)

    def create(self, name: str, tags: Mapping[str, str], *, started: float | None = None) -> Logged:
        """Create a run; `started` in seconds since 1970, None for now."""
        start = int(1000 * (time.time() if started is None else started))
        return _logged(self._client.create_run(self.experiment, start, dict(tags), name))

    def write(
        self,
        run: Logged,
        metrics: Iterable[Step],
        params: Mapping[str, str],
        tags: Mapping[str, str],
        *,
        at: float | None = None,
    ) -> Logged:
        """Write metrics, params and tags in a single call; `at`, in seconds since 1970, is the time of the metrics.

        None stands for the run's start: MLflow then keeps a repeated metric once.
        """
        from mlflow.entities import Metric, Param, RunTag

        time_ms = run.started if at is None else int(1000 * at)
        self._client.log_batch(
            run.id,
            [Metric(key, value, time_ms, step) for key, value, step in metrics],
            [Param(key, value) for key, value in params.items()],
            [RunTag(key, value) for key, value in tags.items()],
            synchronous=True,
        )
        return replace(run, tags={**run.tags, **tags})

    def store(self, run: Logged, folder: Path, below: str | None = None) -> None:
        """Store the folder's files as artifacts, replacing artifacts of the same names."""
        self._client.log_artifacts(run.id, str(folder), below)

    def turn(self, run: Logged, status: str, *, ended: float | None = None) -> Logged:
        """Change the run's status; `ended` in seconds since 1970, None for now."""
        if status == "RUNNING":
            self._client.update_run(run.id, status)
        else:
            self._client.set_terminated(run.id, status, int(1000 * (time.time() if ended is None else ended)))
        return replace(run, status=status)

    def drop(self, run: Logged) -> None:
        """Delete the run; in MLflow a deletion can be undone."""
        self._client.delete_run(run.id)

    def register(self, name: str, run: Logged, tags: Mapping[str, str], description: str, alias: str) -> str:
        """Register the run's artifacts below `model/` as a version of a model; return the version's number."""
        return add_version(self._client, name, f"{run.artifacts}/model", run.id, tags, description, alias)

    def _keep(self, known: dict[K, Logged], key: K, run: Run) -> None:
        if key in known:  # two processes made the run at once: the elder stays
            self._client.delete_run(run.info.run_id)
        else:
            known[key] = _logged(run)

    def _search(self, wanted: str) -> Iterable[Run]:
        token = None
        order = ["attributes.start_time ASC", "attributes.run_id ASC"]
        while True:
            page = self._client.search_runs(
                [self.experiment], wanted, max_results=1000, order_by=order, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def reason(error: BaseException) -> str:
    """Return the first line of an error, short enough for a sentence."""
    lines = [line for line in str(error).strip().splitlines() if not line.startswith("(raised as a result of")]
    return shortened(lines[0] if lines else type(error).__name__, 200)


def _experiment(client: MlflowClient, uri: str, artifact_root: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    root = None
    if uri.startswith("sqlite:"):  # MLflow's own default would be ./mlruns
        root = (artifact_root or database(uri).parent / "mlartifacts").resolve().as_uri()
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return str(client.create_experiment(EXPERIMENT, root, {"mlflow.experimentKind": KIND}))
        except MlflowException:
            found = client.get_experiment_by_name(EXPERIMENT)  # another process was faster
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"tracking: experiment {EXPERIMENT!r} at {shown(uri)} must not be deleted: restore it there"
        )
    if root is not None and found.artifact_location != root:
        raise TrackingError(
            f"tracking: {shown(uri)} keeps artifacts in {found.artifact_location}, expected {root}; if the folder was "
            "moved, delete the database and run `paretune sync` for each study"
        )
    return str(found.experiment_id)


def _logged(run: Run) -> Logged:
    info = run.info
    return Logged(info.run_id, info.start_time or 0, info.status, info.artifact_uri or "", dict(run.data.tags))
