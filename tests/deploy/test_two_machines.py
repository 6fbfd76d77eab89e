"""Ray started by `deploy/start-ray.sh` on two machines runs a search on both; a machine without the token stays out."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.machines import ROOT, Machine, two_machines
from tests.deploy.searches import SEARCH, finished

START = str(ROOT / "deploy" / "start-ray.sh")
SIZE = ("--num-cpus", "1", "--num-gpus", "0")
AT_WORK = """
import json, ray
from ray._private.state import state
ray.init(address="auto", log_to_driver=False)
print(json.dumps(sorted({actor["Address"]["IPAddress"] for actor in state.actor_table(None).values()})))
"""


@pytest.fixture
def pair() -> Iterator[tuple[Machine, Machine]]:
    """Two machines, of which the first has a token and a head."""
    with two_machines() as (first, second):
        first.run("ray", "get-auth-token", "--generate")
        first.run(START, "head", *SIZE)
        yield first, second


@pytest.mark.slow
@pytest.mark.parametrize(("token", "sentence"), [(None, "start-ray: "), ("f" * 64, "AuthenticationError")])
def test_a_machine_without_the_token_is_not_let_in(
    pair: tuple[Machine, Machine], token: str | None, sentence: str
) -> None:
    _, second = pair
    if token:
        (second.home / ".ray" / "auth_token").write_text(token)
    refused = second.try_to_run(START, "first", *SIZE)
    assert refused.returncode != 0
    assert sentence in refused.stdout


@pytest.mark.slow
def test_a_search_runs_on_two_machines_that_share_a_token(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    first, second = pair
    shutil.copy(first.home / ".ray" / "auth_token", second.home / ".ray")
    second.run(START, "first", *SIZE)
    said = first.run("paretune", "search", "--address", "auto", *SEARCH, "--home", str(tmp_path), RAY_AUTH_MODE="token")
    finished(tmp_path, said)
    at_work = first.run("python", "-c", AT_WORK, RAY_AUTH_MODE="token").splitlines()[-1]
    assert json.loads(at_work) == [first.address, second.address]
    assert "Stopped all" in second.run(START, "stop")


def test_a_machine_without_ray_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    copied = shutil.copy(START, tmp_path / "deploy")
    done = subprocess.run([copied, "head"], env={"PATH": "/usr/bin:/bin"}, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "start-ray: ray must be in .venv/bin or on PATH, is not\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "start-ray: the first argument must be head, HOST or stop, got none"),
        (("head",), "/.ray/auth_token must have the token of the cluster, is missing: on the first machine type ray"),
    ],
)
def test_bad_input_to_the_start_script_is_a_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([START, *words], env=environment, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert sentence in done.stderr
