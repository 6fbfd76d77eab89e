"""The cluster file is one that Ray takes, keeps its ports shut, and its set-up commands do what they are there for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LISTS = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
STARTS = ("head_start_ray", "worker_start_ray")


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    """As the file has it."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    return config


def commands(cluster: dict[str, Any], *lists: str) -> list[str]:
    return [command for name in lists for command in cluster.get(f"{name}_commands", [])]


def one(cluster: dict[str, Any], words: str) -> str:
    """The one command that has these words."""
    (found,) = [command for command in commands(cluster, *LISTS) if words in command]
    return found


def test_the_cluster_file_passes_rays_own_schema(cluster: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.autoscaler._private.util import prepare_config, validate_config

        prepared = prepare_config(yaml.safe_load((ROOT / "cluster.yaml").read_text()))
        validate_config(prepared)
    for name in ("setup", "head_start_ray", "worker_start_ray"):
        assert prepared[f"{name}_commands"] == cluster[f"{name}_commands"]  # none of Ray's own defaults


def test_the_head_runs_no_trials_and_workers_are_spot_instances_that_start_from_none(cluster: dict[str, Any]) -> None:
    nodes = dict(cluster["available_node_types"])
    head = nodes.pop(cluster["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    assert nodes
    for node in nodes.values():
        assert (node["min_workers"], node["max_workers"]) == (0, cluster["max_workers"])
        assert node["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
        assert node["resources"]["GPU"] > 0


def test_every_ray_that_is_started_wants_a_token_which_every_node_has(cluster: dict[str, Any]) -> None:
    for name in STARTS:
        (start,) = [command for command in commands(cluster, name) if "ray start" in command]
        assert "RAY_AUTH_MODE=token" in start
    assert cluster["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"


def test_nothing_listens_to_the_world(cluster: dict[str, Any]) -> None:
    assert "--dashboard-host=127.0.0.1" in one(cluster, "--head")
    assert "--host 127.0.0.1" in one(cluster, "mlflow server")
    assert "security_group" not in cluster["provider"]  # Ray's own: SSH, and the nodes among themselves
    assert not any("SecurityGroupIds" in node["node_config"] for node in cluster["available_node_types"].values())
    assert "0.0.0.0" not in (ROOT / "cluster.yaml").read_text()


def test_versions_are_the_projects(cluster: dict[str, Any]) -> None:
    pins = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().split()}
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["cluster"]
    assert {re.match(r"[\w-]+", name)[0] for name in extra} <= pins  # type: ignore[index]
    for command in commands(cluster, *LISTS):
        assert "pip install" not in command or "--constraint constraints.txt" in command


@pytest.mark.parametrize("name", LISTS)
def test_commands_are_sound_shell(cluster: dict[str, Any], name: str) -> None:
    for command in commands(cluster, name):
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A home folder with a clean copy of the project in it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (tmp_path / "paretune" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / "paretune" / name)
    return tmp_path


def run(command: str, node: Path, **others: str) -> str:
    """As on a node, but with its home folder, and other words, replaced."""
    for words, instead in {"/home/ubuntu": str(node), **others}.items():
        assert words in command or words == "/home/ubuntu", words
        command = command.replace(words, instead)
    environment = {**os.environ, "HOME": str(node)}
    done = subprocess.run(["bash", "-c", command], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


@pytest.mark.slow
def test_the_set_up_installs_what_is_pinned_in_a_clean_folder(cluster: dict[str, Any], node: Path) -> None:
    steps = run(one(cluster, "make install"), node, **{"make install": "make -n install"})
    assert "-m venv .venv" in steps
    assert "--constraint constraints.txt --editable '.[dev]'" in steps
    assert "--editable '.[cluster]'" in one(cluster, "[cluster]")


@pytest.mark.slow
def test_the_set_up_sets_token_mode_once(cluster: dict[str, Any], node: Path) -> None:
    for _ in range(2):
        run(one(cluster, ".bashrc"), node)
    assert (node / ".bashrc").read_text() == "export RAY_AUTH_MODE=token\n"


@pytest.mark.slow
def test_the_head_starts_one_mlflow_server(cluster: dict[str, Any], node: Path) -> None:
    (node / "paretune" / ".venv").symlink_to(ROOT / ".venv")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    others = {
        "5000": str(port),
        "postgresql:///mlflow": f"sqlite:///{node}/mlflow.db",
        "/shared/runs": str(node),
        "/tmp/mlflow.log": f"{node}/mlflow.log",
    }
    try:
        run(one(cluster, "mlflow server"), node, **others)
        end = time.monotonic() + 60
        while not answers(port):
            assert time.monotonic() < end, (node / "mlflow.log").read_text()
            time.sleep(0.3)
        started = servers(node)
        run(one(cluster, "mlflow server"), node, **others)
        assert servers(node) == started != []
    finally:
        for process in (*servers(node), *named(node, "environ")):  # workers outlive who is killed
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def servers(node: Path) -> list[int]:
    """The servers on the node's database."""
    return named(node, "cmdline", b"server")


def named(node: Path, where: str, *more: bytes) -> list[int]:
    """The processes that have the node's database, and these words, in a file of theirs below /proc."""
    found = []
    for path in Path("/proc").glob(f"[0-9]*/{where}"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if any(word.endswith(f"sqlite:///{node}/mlflow.db".encode()) for word in words) and set(more) <= set(words):
            found.append(int(path.parent.name))
    return sorted(found)
