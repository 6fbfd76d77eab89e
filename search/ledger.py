"""The one place where a study is true: an append-only file of JSON lines.

MLflow mirrors it, Optuna is told what it says, Ray knows nothing of it. What a process has written outlives it. Should
the machine itself go, every trial that was asked for is there, and all that was before the last one was; what has come
since comes again from the store. A line cut short by a crash is skipped on reading; nothing before it is lost.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from compress.errors import DiskError

FILE = "ledger.jsonl"
PASSING = frozenset({"point", "ended", "resumed"})
"""Events that are on the disk with the next one that is none of these: the models they speak of are in the store."""
Event = dict[str, Any]


class Ledger:
    """Events of one study in `folder`, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def append(self, event: str, **values: object) -> Event:
        """Write one event and return it; DiskError when the disk refuses it."""
        return self.append_all(event, [values])[0]

    def append_all(self, event: str, each: Sequence[Mapping[str, object]]) -> list[Event]:
        """Write an event for each of these values and return them, as they will be read.

        The disk is waited for once, and not for events in `PASSING`. DiskError when it refuses them; some of them may
        be there then.
        """
        now = round(time.time(), 3)
        lines = [
            json.dumps({"event": event, "time": now, **values}, separators=(",", ":"), allow_nan=False) + "\n"
            for values in each
        ]
        try:
            self._write("".join(lines), wait=event not in PASSING)
        except OSError as error:
            raise DiskError(f"ledger: cannot write {self.path}: {error.strerror}") from error
        return [_read(line) for line in lines]

    def settle(self) -> None:
        """Have all of it on the disk; DiskError when that refuses."""
        if self.path.exists():
            try:
                self._write("", wait=True)
            except OSError as error:
                raise DiskError(f"ledger: cannot write {self.path}: {error.strerror}") from error

    def _write(self, text: str, *, wait: bool) -> None:
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                text = "\n" + text  # the last writer died in the middle of its line
            data = text.encode()
            if os.write(file, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if wait:
                os.fsync(file)
        finally:
            os.close(file)

    def events(self) -> Iterator[Event]:
        """All readable events; a line that is none is skipped and said."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    event = _read(line)
                    event["event"]
                except (ValueError, TypeError, KeyError, RecursionError):
                    logging.getLogger(__name__).warning("%s: line %d cannot be read, skipped", self.path, number)
                    continue
                yield event


def _read(line: str | bytes) -> Event:
    """An event whose words are those of the events before: a long study has them once, not once a point."""
    event: Event = json.loads(line, object_pairs_hook=_shared)
    return event


def _shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {sys.intern(key): sys.intern(value) if type(value) is str else value for key, value in pairs}
