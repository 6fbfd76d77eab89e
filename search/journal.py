"""Optuna's journal file without a wait for the disk at every value: the ledger is the truth, this is its echo.

What a process has written outlives it; the last seconds may go with the machine, and then are told again from the
ledger.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """The journal at `path`, for one writer, which holds the study's lock; a last line cut short is taken away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.exists():
            _mend(path)
        super().__init__(str(path))

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
