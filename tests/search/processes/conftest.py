"""What the tests of processes share: a folder for Ray's files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def ray_folder() -> Iterator[Path]:
    """Ray's files and the address of its last cluster, apart from those of others; paths of sockets must be short."""
    folder = Path(tempfile.mkdtemp(prefix="rn-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(folder))
        yield folder
    shutil.rmtree(folder, ignore_errors=True)
