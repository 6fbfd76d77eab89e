"""Searches on a Ray of several nodes, some of which come and go."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.bucket import open_store
from compress.training.settings import Training
from search.beginning import launch
from search.running.driver import Driver
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.settings import Settings
from search.study.record import StudyRecord
from search.study.study import Study
from spaces import SPACES, Space
from spaces.space import EFFORT, Effort, Trial
from tests.search.processes.nodes import busy, cluster_of

ROOT = Path(__file__).parents[3]
RATES = tuple(round(0.1 - 0.005 * step, 3) for step in range(19))


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Some seconds on one core: a worker takes ten to come up."""
    lr = float(trial.suggest_categorical("lr", RATES))
    cut = Prune(L1Filter(), 0.6, OneShot(2), Recovery(Training(epochs=10, lr=0.02)))
    return Recipe(task, Model("cnn", 0.5), (Train(Training(epochs=120, lr=lr)), cut), seed=seed)


SOME = Space("some", build, Model("cnn", 0.5), "", tuple({"lr": lr} for lr in RATES))


class Say(launch.Listener):
    """Prints what the driver has noted."""

    def heard(self, study: StudyRecord, driver: Driver) -> None:
        print(*driver.notes, sep="\n", flush=True)


def main() -> None:
    """Run as a program, this file is a driver: `test_nodes.py HOME TRIALS GPUS_PER_TRIAL`, the last as JSON."""
    SPACES["some"], EFFORT["digits"] = SOME, Effort(8, 8)
    home, trials, gpus = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    settings = Settings("s", space="some", trials=trials, home=home, address="auto", gpus_per_trial=gpus)
    launch.search(settings, Say())


@contextmanager
def driver(home: Path, address: str, trials: int, gpus: float | None = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """A search in a process of its own; what it says goes into `driver.log`."""
    command = [sys.executable, __file__, str(home), str(trials), json.dumps(gpus)]
    environment = {**os.environ, "RAY_ADDRESS": address, "PYTHONPATH": str(ROOT)}
    home.mkdir(exist_ok=True)
    with (home / "driver.log").open("wb") as log:
        running = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def watched(running: subprocess.Popen[bytes], cluster: Any) -> list[list[str]]:
    """The nodes at work from now on until the driver's end, five times a second."""
    at_work: list[list[str]] = []
    while running.poll() is None:
        at_work.append(busy(cluster))
        time.sleep(0.2)
    return at_work


@dataclass(frozen=True)
class Survivor:
    """A search of twenty trials on two nodes; one was lost in the middle of a training, then two others came.

    So many that one node has not done them all before the other is up.
    """

    study: Study
    at_work: list[list[str]]
    head: str
    kept: str
    new: set[str]


@pytest.fixture(scope="module")
def survivor(ray_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Survivor:
    home = tmp_path_factory.mktemp("home")
    with cluster_of({"num_cpus": 1}, {"num_cpus": 1}) as cluster:
        kept, lost = cluster.worker_nodes
        with driver(home, cluster.address, trials=20) as running:
            while len(set(busy(cluster))) < 2 or not list(home.glob("store/partial/*.pt")):
                assert running.poll() is None, (home / "driver.log").read_text()
                time.sleep(0.2)
            cluster.remove_node(lost, allow_graceful=False)
            new = {cluster.add_node(num_cpus=1).node_id for _ in range(2)}
            at_work = watched(running, cluster)
        assert running.returncode == 0, (home / "driver.log").read_text()
        return Survivor(Study(home, "s"), at_work, cluster.head_node.node_id, kept.node_id, new)


@pytest.mark.slow
def test_a_search_outlives_the_loss_of_a_node(survivor: Survivor) -> None:
    assert [trial.status for trial in survivor.study.record.trials] == ["complete"] * 20
    assert [len(trial.points) for trial in survivor.study.record.trials] == [1] + [3] * 19


@pytest.mark.slow
def test_nodes_that_join_are_used_beyond_what_there_was_at_the_start(survivor: Survivor) -> None:
    assert survivor.new <= {node for nodes in survivor.at_work for node in nodes}
    assert max(map(len, survivor.at_work)) == 3
    assert {survivor.kept, *survivor.new} in map(set, survivor.at_work)


@pytest.mark.slow
def test_the_head_runs_no_trial(survivor: Survivor) -> None:
    assert survivor.head not in {node for nodes in survivor.at_work for node in nodes}


@pytest.mark.slow
def test_after_the_loss_of_a_node_nothing_is_written_or_told_twice(survivor: Survivor) -> None:
    study = survivor.study
    events = list(study.ledger.events())
    assert set(Counter((e["trial"], e["id"]) for e in events if e["event"] == "point").values()) == {1}
    asked = OptunaStudy(open_storage(None, study.folder), "s", study.record.objectives, 0).study.get_trials()
    told = Counter(t.user_attrs["point"] for t in asked if "point" in t.user_attrs)
    assert told == Counter(p.id for t in study.record.trials[1:] for p in t.points)
    assert not [t for t in asked if t.state == TrialState.RUNNING]


@pytest.mark.slow
def test_after_the_loss_of_a_node_the_store_has_every_point_and_no_lease(survivor: Survivor) -> None:
    store = open_store(survivor.study.store)
    for point in survivor.study.record.points:
        entry = store.get(point.id)
        assert entry is not None
        assert entry.measured == point.measured
    assert list((store.root / "locks").iterdir()) == []
    assert list((store.root / "partial").glob("*.pt")) == []


@pytest.mark.slow
def test_nodes_give_a_gpu_to_each_trial_and_one_that_torch_does_not_see_ends_the_search(
    ray_folder: Path, tmp_path: Path
) -> None:
    with cluster_of({"num_cpus": 8, "num_gpus": 1}) as cluster:
        for name, asked, given in (("left-out", None, 1.0), ("shared", 0.25, 0.25)):
            home = tmp_path / name
            with driver(home, cluster.address, trials=3, gpus=asked) as running:
                assert running.wait(timeout=200) != 0
            said = (home / "driver.log").read_text()
            assert "a trial was given a GPU of" in said
            assert "sees none there" in said
            assert "no node has room" not in said
            assert Study(home, "s").header["gpus_per_trial"] == given
            assert "failed" not in {trial.status for trial in Study(home, "s").record.trials}


@contextmanager
def autoscaled(folder: Path) -> Iterator[str]:
    """A head with Ray's autoscaler, which starts at most three nodes of 2 CPUs and a GPU on this machine; its address.

    It has the shape of `ray up`'s, filled out: Ray's fake nodes come without the example file that they want.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    empty = ("docker", "auth", "file_mounts")
    nothing = ("cluster_synced_files", "rsync_exclude", "rsync_filter", "initialization_commands", "setup_commands")
    config: dict[str, Any] = {
        "cluster_name": "fake",
        "max_workers": 3,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 0.1,
        "provider": {
            "type": "fake_multinode",
            "gcs_address": address,
            "use_node_id_as_ip": True,  # without it all nodes are one, which is never idle
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "foreground_node_launch": True,
            "worker_liveness_check": False,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": {"CPU": 2, "GPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 3},
        },
        "head_node_type": "ray.head.default",
        **{name: {} for name in empty},
        **{name: [] for name in nothing},
        **{f"{name}_commands": [] for name in ("head_setup", "worker_setup", "head_start_ray", "worker_start_ray")},
    }
    (folder / "fake.json").write_text(json.dumps(config))
    options = [
        *("--head", "--block", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}"),
        *("--node-ip-address=127.0.0.1", f"--port={address.rpartition(':')[2]}"),
        f"--autoscaling-config={folder / 'fake.json'}",
    ]
    environment = {**os.environ, "RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "PYTHONPATH": str(ROOT)}
    with (folder / "head.log").open("wb") as log:
        command = [f"{sys.prefix}/bin/ray", "start", *options]
        head = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait(lambda: b"will now block" in (folder / "head.log").read_bytes())
            yield address
        finally:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()
            wait(lambda: raylets(folder) == 0)


def raylets(folder: Path) -> int:
    """The nodes that are up on this machine, with their files in that folder."""
    mark = f"--raylet_socket_name={folder}/".encode()
    lines = {read(path) for path in Path("/proc").glob("[0-9]*/cmdline")}  # one that forks is there twice
    return sum(mark in line for line in lines)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended
        return b""


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 100
    while not until():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
def test_trials_that_wait_bring_nodes_which_go_when_idle_and_nobody_comes_in_without_a_token(
    ray_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "only-known-here-0123456789-0123456789")
    with autoscaled(ray_folder) as address:
        assert raylets(ray_folder) == 1
        with driver(tmp_path, address, trials=10) as running:
            most = 1
            while running.poll() is None:
                most = max(most, raylets(ray_folder))
                time.sleep(0.2)
        said = (tmp_path / "driver.log").read_text()
        assert running.returncode == 0, said
        assert [trial.status for trial in Study(tmp_path, "s").record.trials] == ["complete"] * 10
        assert "no node has room for a trial of 1 CPU and 0 GPU yet" in said
        assert most == 4
        wait(lambda: raylets(ray_folder) == 1)
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        with driver(tmp_path / "other", address, trials=1) as running:
            assert running.wait(timeout=100) != 0
        said = (tmp_path / "other" / "driver.log").read_text()
        assert "no Ray cluster answers at 'auto': it wants a token" in said
        assert not (tmp_path / "other" / "studies").exists()


if __name__ == "__main__":
    main()
