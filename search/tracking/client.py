"""Client of MLflow's tracking: check a URI, and connect.

The study's ledger is the record; MLflow is a mirror that may lag, be down, or be rebuilt (`search.tracking.sync`).
Importing MLflow takes over 1.5 s and happens on first use.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from filelock import FileLock

from compress.errors import shortened
from search.environment import spare_loopback
from search.uri import asked, database, in_memory, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient

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


def reason(error: BaseException) -> str:
    """Return the first line of an error, short enough for a sentence."""
    lines = [line for line in str(error).strip().splitlines() if not line.startswith("(raised as a result of")]
    return shortened(lines[0] if lines else type(error).__name__, 200)
