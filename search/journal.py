"""Optuna's journal file without a wait for the disk at every value: the ledger is the truth, this is its echo.

What a process has written outlives it; the last seconds may go with the machine. `Proposer.catch_up` tells what is
missing then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend


class Journal(BaseJournalBackend):
    """The journal at `path`, for one writer, which holds the study's lock; a last line cut short is taken away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read, self._offset = 0, 0
        path.touch()
        _mend(path)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The logs from that number on, oldest first; the place is kept, so that the next call begins there."""
        if log_number_from < self._read:
            self._read, self._offset = 0, 0
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                self._read += 1
                self._offset += len(line)
                if self._read > log_number_from:
                    yield json.loads(line)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write the lines and leave it to the system when they reach the disk."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._path.open("ab") as file:
            file.write(text.encode())


def _mend(path: Path) -> None:
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
