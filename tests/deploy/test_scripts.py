"""The scripts and the Dockerfile are sound: by bash, and by shellcheck and hadolint where these are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.machines import ROOT

DEPLOY = ROOT / "deploy"
SCRIPTS = sorted(DEPLOY.glob("*.sh"))


def linted(program: str, *words: str | Path) -> None:
    """Skip without the program, which Debian or PyPI has; fail with its complaints."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} must be on PATH: pip install {program}-{'py' if program == 'shellcheck' else 'bin'}")
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_sound_shell(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    linted("shellcheck", script)


def test_hadolint_has_nothing_to_say() -> None:
    linted("hadolint", DEPLOY / "Dockerfile")


def test_everything_in_the_image_is_pinned_and_nothing_runs_as_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    installs = re.findall(r"pip install (.*)", text)
    assert len(installs) == 2
    assert all(install.startswith("--constraint constraints.txt ") for install in installs)
    assert re.search(r"^USER (\S+)", text, re.MULTILINE)[1] == "1000"  # type: ignore[index]
    for copied in re.findall(r"^COPY (\S+)", text, re.MULTILINE):
        assert (ROOT / copied).exists()


def test_the_build_leaves_out_what_git_leaves_out() -> None:
    left_out = set((DEPLOY / "Dockerfile.dockerignore").read_text().split())
    folders = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split() if line.endswith("/")}
    assert {"**/__pycache__", ".git", ".venv", "data", "paretune-runs"} <= left_out
    assert left_out - {".git", "**/__pycache__"} <= folders
