"""The commands on the pages of the examples, typed in a user's own folder, each a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Typed = Callable[..., str]


def commands(page: str) -> list[str]:
    """The commands of a page, in order, a line each."""
    text = (ROOT / "docs" / "examples" / f"{page}.md").read_text().replace("\\\n", " ")
    return re.findall(r"^(\.venv/bin/.*)$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """Type a command in a folder of its own, with further options, which win; return the output."""
    folder = tmp_path_factory.mktemp("user")

    def run(command: str, more: str = "") -> str:
        whole = f"{command} {more}".replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        whole = re.sub(r"(?<!\S)examples/", f"{ROOT}/examples/", whole)
        done = subprocess.run(whole, shell=True, capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, (whole, done.stdout, done.stderr)
        return done.stdout

    return run
