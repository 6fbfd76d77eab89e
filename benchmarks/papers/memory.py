"""The memory of the largest process that this one has begun, sampled while a block runs; Linux alone."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PAUSE_S = 1.0


class Largest:
    """Samples the resident memory of all descendants every `PAUSE_S`; `megabytes` is the largest of one process."""

    def __init__(self) -> None:
        self.megabytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(PAUSE_S):
            parents, sizes = {}, {}
            for folder in Path("/proc").iterdir():
                with suppress(OSError, ValueError, IndexError):  # the process has ended
                    pid = int(folder.name)
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                    parents[pid], sizes[pid] = int(fields[1]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            known, own = {os.getpid()}, len(parents)
            while own:  # a pass adds a generation
                grown = known | {pid for pid, parent in parents.items() if parent in known}
                own, known = len(grown) - len(known), grown
            of_ours = [sizes[pid] for pid in known if pid in sizes and pid != os.getpid()]
            self.megabytes = max(self.megabytes, max(of_ours, default=0) // 2**20)
