"""CPUs and memory a process may use, within affinity and control groups.

`os.cpu_count()` and `/proc/meminfo` describe the host. A container or a batch job gets a share of the host.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")
BUSY = 0.5
"""Load per CPU above which the machine is busy."""


def usable_cpus() -> int:
    """Return the CPUs the process may keep busy, at least 1: the affinity, bounded by every quota above the process.

    A quota of 1.5 CPUs counts as 2: rounded down, part of the quota would stay idle.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it, macOS does not
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([count, *(math.ceil(quota) for quota in _cpu_quotas())]))


def is_busy() -> bool:
    """Return whether so many processes want the CPUs that a time measured now would come out too long."""
    try:
        return os.getloadavg()[0] > BUSY * usable_cpus()
    except OSError:
        return True


def memory_headroom() -> int | None:
    """Return the bytes left until a control group of the process is full; None without a limit.

    Pages of files not used lately count as free: the kernel drops them first.
    """
    rooms = [*_rooms("memory.max", "memory.current", "inactive_file")]
    rooms += _rooms("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    return min(rooms, default=None)


def _cpu_quotas() -> Iterator[float]:
    """Yield the CPUs of every quota: cgroup v2 has `cpu.max` of "200000 100000" or "max 100000", v1 has two files."""
    for folder in _groups("cpu"):
        quota, period = [*_words(folder / "cpu.max"), "", ""][:2]
        if not quota:
            quota, period = ("".join(_words(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(quota) > 0 < int(period):  # v1 has -1 without a quota
            yield int(quota) / int(period)


def _rooms(limit: str, usage: str, droppable: str) -> Iterator[int]:
    for folder in _groups("memory"):
        most, used = "".join(_words(folder / limit)), "".join(_words(folder / usage))
        if most.isdigit() and used.isdigit():
            words = _words(folder / "memory.stat")
            stat = dict(zip(words[::2], words[1::2], strict=False))
            yield max(0, int(most) - max(0, int(used) - int(stat.get(droppable, 0))))


def _groups(controller: str) -> Iterator[Path]:
    """Yield the folders of the process's group and of all groups above, of cgroup v2 and of v1's `controller`.

    A container may see its group as the root while `MEMBERSHIP` has the host's path: missing folders are skipped.
    """
    for line in _lines(MEMBERSHIP):
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            root = MOUNT
        elif controller in names.split(","):
            root = MOUNT / controller
        else:
            continue
        group = root / path.strip().lstrip("/")
        yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(root) and folder.is_dir())


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return []
