"""`deploy/slurm.sh` on two machines with stand-ins for Slurm's commands: Ray comes up on both, searches, and stops."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.machines import ROOT, Machine, two_machines
from tests.deploy.searches import SEARCH, finished

SCRIPT = ROOT / "deploy" / "slurm.sh"
SCONTROL = '#!/bin/bash\n[ "$*" = "show hostnames first,second" ] && printf "first\\nsecond\\n"\n'
SRUN = '#!/bin/bash\nwhile [[ "$1" == --* ]]; do echo "srun $1"; shift; done\nexec "$@"\n'
"""Slurm's srun starts the command on every node of the job; the test runs the whole script on each machine instead."""


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """What Slurm sets in a job of two nodes, with its commands first on PATH."""
    programs = tmp_path / "slurm"
    programs.mkdir()
    for name, text in (("scontrol", SCONTROL), ("srun", SRUN)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    job = {"SUBMIT_DIR": str(ROOT), "JOB_NODELIST": "first,second", "JOB_NUM_NODES": "2", "CPUS_PER_TASK": "1"}
    return {f"SLURM_{name}": value for name, value in job.items()} | {"STAND_INS": str(programs)}


@pytest.fixture
def pair() -> Iterator[tuple[Machine, Machine]]:
    with two_machines() as (first, second):
        first.run("ray", "get-auth-token", "--generate")
        shutil.copy(first.home / ".ray" / "auth_token", second.home / ".ray")  # Slurm's nodes share homes
        yield first, second


def batch(slurm: dict[str, str], home: Path) -> list[str]:
    """The script as Slurm runs it, from another folder."""
    script = f'cd / && PATH="$STAND_INS:$PATH" exec bash {SCRIPT} "$@"'
    return ["bash", "-c", script, "batch", *SEARCH, "--home", str(home)]


@pytest.mark.slow
def test_a_search_runs_over_the_nodes_of_a_job(
    slurm: dict[str, str], pair: tuple[Machine, Machine], tmp_path: Path
) -> None:
    first, second = pair
    other = second.start(*batch(slurm, tmp_path / "home"), log=tmp_path / "second", **slurm)
    said = first.run(*batch(slurm, tmp_path / "home"), **slurm)
    assert other.wait(60) == 0, (tmp_path / "second").read_text()
    finished(tmp_path / "home", said)
    assert "On head node. Starting Ray cluster head..." in said
    assert "On worker node. Connecting to Ray cluster at first:6379..." in (tmp_path / "second").read_text()
    for machine in pair:
        assert "raylet" not in machine.run("ps", "-A", "-o", "comm")


@pytest.mark.slow
def test_the_job_fails_as_the_search_does(slurm: dict[str, str], pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    first, _ = pair
    alone = slurm | {"SLURM_JOB_NUM_NODES": "1"}
    done = first.try_to_run(*batch(alone, tmp_path), "--trials", "none", **alone)
    assert done.returncode == 2, done.stdout


def test_a_job_without_a_token_is_refused_before_ray_starts(slurm: dict[str, str], tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": f"{slurm['STAND_INS']}:/usr/bin:/bin", **slurm}
    done = subprocess.run([SCRIPT], env=environment, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert (
        done.stderr == "slurm.sh: ~/.ray/auth_token must have a token, is missing: type ray get-auth-token --generate\n"
    )


def test_slurms_options_are_those_of_a_job_that_ray_divides_by_itself() -> None:
    options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", SCRIPT.read_text(), re.MULTILINE))
    assert options["ntasks-per-node"] == "1"
    assert "exclusive" in options  # `ray stop` in the end stops every Ray of the user on a node
    assert {"nodes", "cpus-per-task", "gpus-per-node", "time"} <= set(options)
