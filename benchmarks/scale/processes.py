"""Processes of this machine, for those who kill some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

WORKER = (b"ray::ResourceTrainable", b"ray::Compression")
"""What Ray calls the process of a trial."""


def workers(driver: int) -> list[int]:
    """Process ids of what runs trials for that driver."""
    raylets = {pid for pid, words in processes() if b"raylet" in words and f"paretune-{driver}-".encode() in words}
    return [pid for pid, words in processes() if words.startswith(WORKER) and parent(pid) in raylets]


def processes() -> Iterator[tuple[int, bytes]]:
    """All that run, by id and command line."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            yield int(path.name), (path / "cmdline").read_bytes()
        except OSError:  # gone meanwhile
            continue


def parent(pid: int) -> int:
    """Of a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
