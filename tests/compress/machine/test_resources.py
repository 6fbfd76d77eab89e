"""CPUs and memory a process may use: affinity, and control groups of both versions, laid out in a made-up tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compress.data.splits import free_bytes
from compress.machine import resources
from compress.machine.resources import memory_headroom, usable_cpus


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty tree of control groups for a process that may run on eight CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(resources, "MOUNT", tmp_path / "cgroup")
    monkeypatch.setattr(resources, "MEMBERSHIP", tmp_path / "membership")
    return tmp_path


def lay(root: Path, membership: str, **files: str) -> None:
    (root / "membership").write_text(membership)
    for name, text in files.items():
        file = root / "cgroup" / name.replace("__", "/").replace("_of_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_without_control_groups_the_affinity_counts(groups: Path) -> None:
    assert usable_cpus() == 8
    assert memory_headroom() is None


@pytest.mark.parametrize(
    ("membership", "files", "cpus"),
    [
        ("0::/\n", {"cpu_of_max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu_of_max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu_of_max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu_of_max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu_of_max": "garbage\n"}, 8),
        ("0::/job/step\n", {"job__cpu_of_max": "300000 100000", "job__step__cpu_of_max": "max 100000"}, 3),
        ("0::/host/docker/abc\n", {"cpu_of_max": "400000 100000"}, 4),
        ("4:cpu,cpuacct:/\n", {"cpu__cpu_of_cfs_quota_us": "250000", "cpu__cpu_of_cfs_period_us": "100000"}, 3),
        ("4:cpu,cpuacct:/\n", {"cpu__cpu_of_cfs_quota_us": "-1", "cpu__cpu_of_cfs_period_us": "100000"}, 8),
        ("7:memory:/\n", {"cpu__cpu_of_cfs_quota_us": "100000", "cpu__cpu_of_cfs_period_us": "100000"}, 8),
    ],
)
def test_every_quota_above_the_process_bounds_its_cpus(
    membership: str, files: dict[str, str], cpus: int, groups: Path
) -> None:
    lay(groups, membership, **files)
    assert usable_cpus() == cpus


@pytest.mark.parametrize(
    ("membership", "files", "left"),
    [
        ("0::/\n", {"memory_of_max": "1000", "memory_of_current": "400"}, 600),
        ("0::/\n", {"memory_of_max": "max", "memory_of_current": "400"}, None),
        ("0::/\n", {"memory_of_max": "1000", "memory_of_current": "400", "memory_of_stat": "inactive_file 300\n"}, 900),
        ("0::/\n", {"memory_of_max": "1000", "memory_of_current": "1200"}, 0),
        ("0::/a\n", {"memory_of_max": "500", "memory_of_current": "400", "a__memory_of_max": "max"}, 100),
        (
            "3:memory:/\n",
            {"memory__memory_of_limit_in_bytes": "1000", "memory__memory_of_usage_in_bytes": "100"},
            900,
        ),
    ],
)
def test_what_is_free_is_the_limit_less_what_is_used(
    membership: str, files: dict[str, str], left: int | None, groups: Path
) -> None:
    lay(groups, membership, **files)
    assert memory_headroom() == left
    assert left is None or free_bytes() == left
