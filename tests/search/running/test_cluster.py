"""What of Ray's nodes a trial fits on, and addresses that cannot be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import ray
from filelock import FileLock

from search.running.cluster import SCRATCH_LOCK, check_address, places, scratch_folder
from search.settings import Settings

HEAD = {"memory": 1e9}
GPU = {"CPU": 4.0, "GPU": 1.0}


@pytest.mark.parametrize(
    ("nodes", "asked", "count"),
    [
        ([HEAD, GPU], {"gpus_per_trial": 0.25}, 4),
        ([HEAD, GPU], {"gpus_per_trial": 0.1}, 4),
        ([HEAD, {"CPU": 64.0, "GPU": 1.0}], {"gpus_per_trial": 0.1}, 10),
        ([HEAD, {"CPU": 64.0, "GPU": 0.3}], {"gpus_per_trial": 0.1}, 3),
        ([HEAD, GPU, GPU], {"gpus_per_trial": 0.6}, 2),
        ([HEAD, GPU, GPU], {"cpus_per_trial": 3}, 2),
        ([HEAD, {"CPU": 4.0}], {"gpus_per_trial": 1.0}, 0),
        ([HEAD], {}, 0),
        ([HEAD, {"CPU": 4.0}], {}, 4),
    ],
)
def test_places_are_counted_node_by_node(
    nodes: list[dict[str, float]],
    asked: dict[str, Any],
    count: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = [{"Alive": True, "Resources": node} for node in nodes]
    lost = {"Alive": False, "Resources": {"CPU": 8.0, "GPU": 8.0}}
    monkeypatch.setattr(ray, "nodes", lambda: [*there, lost])
    assert places(Settings("s", home=tmp_path, **asked)) == count


def test_the_scratch_of_a_killed_driver_is_removed_and_that_of_one_that_lives_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.running.cluster.short_folder", lambda: tmp_path)
    gone = 2**22 + 1  # no process has such a number: of a container of its own, it may live nevertheless
    folders = {name: tmp_path / f"paretune-{gone}-{name}" for name in ("killed", "lives", "earlier")}
    folders["new"] = tmp_path / f"paretune-{os.getpid()}-earlier"  # as an earlier version made it, which lives
    for folder in folders.values():
        folder.mkdir()
    for name in ("killed", "lives"):
        (folders[name] / SCRATCH_LOCK).touch()
    with FileLock(folders["lives"] / SCRATCH_LOCK), scratch_folder() as ours:
        assert {path.name for path in tmp_path.iterdir()} == {ours.name, folders["lives"].name, folders["new"].name}
    assert not ours.exists()


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "http://127.0.0.1:8265"])
def test_an_address_of_a_cluster_elsewhere_is_refused_with_what_to_type(address: str) -> None:
    with pytest.raises(ValueError, match=rf"^address: must be auto or HOST:PORT .*got '{address}'.*ray job submit"):
        check_address(address)


@pytest.mark.parametrize("value", ["ray://127.0.0.1:10001", "local", "nonsense"])
def test_auto_follows_the_variable_of_ray_which_must_be_an_address_too(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", value)
    with pytest.raises(ValueError, match=rf"^RAY_ADDRESS, which --address auto follows: must be .*got '{value}'"):
        check_address("auto")


def test_auto_does_not_wait_for_a_variable_that_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ValueError, match=r"^RAY_ADDRESS, .* no Ray cluster answers at '127.0.0.1:1'"):
        check_address("auto")


def test_a_search_of_its_own_says_that_it_does_not_follow_the_variable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check_address(None)
    assert not caplog.messages
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    check_address(None)
    assert caplog.messages == [
        "note: the search has a Ray of its own, not that of RAY_ADDRESS=127.0.0.1:6379; --address auto joins it"
    ]


@pytest.mark.parametrize("address", [None, "auto", "127.0.0.1:6379"])
def test_a_ray_of_the_users_in_this_process_is_left_alone(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    with pytest.raises(ValueError, match=r"connected to no Ray yet, it is; call ray.shutdown\(\) before"):
        check_address(address)
