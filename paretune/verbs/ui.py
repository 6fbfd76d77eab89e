"""MLflow's pages on a home: start its server, print where the study is, end with Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from search.settings import Settings
from search.study.study import Study
from search.tracking.client import TrackingError
from search.tracking.experiment import move_with_home
from search.tracking.page import page

FIRST, LAST = 5000, 5099
"""Ports to try."""
READY_S = 180.0
"""Seconds for the server to answer."""
ENDS_S = 10.0
"""Seconds for the server to end."""


def serve(home: Path, study: str | None, port: int | None, say: Callable[[str], None]) -> None:
    """Serve MLflow's pages of the home's database until Ctrl-C; `say` gets the link once the server answers.

    ValueError for a home without MLflow's database, an unknown study or a port in use; RuntimeError if the server ends.
    """
    if port is not None and not 1 <= port < 2**16:
        raise ValueError(f"ui: port must be from 1 to {2**16 - 1}, got {port}")
    if study is not None:
        assert Study(home, study).record  # the sentence for a missing study
    settings = Settings(study or "demo", home=home)
    if not (home / "mlflow.db").exists():
        raise ValueError(f"ui: the home must have MLflow's database, there is none in {home}; a search makes one")
    with suppress(TrackingError):  # a home that cannot be written is shown as it is
        move_with_home(home / "mlflow.db")
    port = _free(port)
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+") as said:  # a pipe that nobody reads would fill up
        server = _start(settings.mlflow_uri, port, said)
        try:
            _wait(server, address, said)
            say(f"MLflow: {(study and page(address, study)) or address}")
            say("Ctrl-C ends it")
            server.wait()
            raise RuntimeError(f"ui: MLflow's server ended with {server.returncode}: {_last_line(said)}")
        except KeyboardInterrupt:
            return
        finally:
            _end(server)


def _start(uri: str, port: int, said: TextIO) -> subprocess.Popen[bytes]:
    """Start the server, in a process group of its own: Ctrl-C is for this process."""
    words = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        uri,
        "--host",
        "127.0.0.1",
        "--workers",
        "1",
    ]
    quiet = {**os.environ, "GIT_PYTHON_REFRESH": "quiet"}
    return subprocess.Popen(
        [*words, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=said, env=quiet, start_new_session=True
    )


def _free(port: int | None) -> int:
    """Return the port if free, or the first free port; ValueError if none is."""
    for each in range(FIRST, LAST + 1) if port is None else (port,):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", each))
            except OSError:
                continue
            return each
    if port is not None:
        raise ValueError(f"ui: port must be free on this machine, got {port}; a free one is taken if it is left out")
    raise ValueError(f"ui: a port from {FIRST} to {LAST} must be free on this machine, got none")


def _wait(server: subprocess.Popen[bytes], address: str, said: TextIO) -> None:
    """Wait until the server answers; RuntimeError if it ends before, or does not answer in time."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"ui: MLflow's server ended with {server.returncode}: {_last_line(said)}")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"ui: MLflow's server did not answer at {address} within {READY_S:.0f} s")


def _last_line(said: TextIO) -> str:
    said.seek(0)
    lines = said.read().strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its workers, which are a process group of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        try:
            server.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            continue
        return
