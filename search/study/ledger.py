"""The record of a study: an append-only file of JSON lines.

MLflow mirrors the ledger, Optuna is told from the ledger, Ray knows nothing of the study. Written lines survive a crash
of the process. After a crash of the machine every trial is on the disk that began more than a moment before, with all
events before; later points come again from the store. A line cut short by a crash is skipped on reading; all lines
before are read.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from compress.errors import DiskError

FILE = "ledger.jsonl"
PASSING = frozenset({"point", "ended", "resumed"})
"""Events not fsynced on their own: losing them is safe, for their models are in the store."""
LONGEST = 2**24
"""Greatest length of a line, in bytes."""
Event = dict[str, Any]
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class Ledger:
    """Reads and writes the events of a study in `folder`, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._disk = ThreadPoolExecutor(1, "ledger")
        self._forced: Future[None] | None = None
        self._read_to = 0
        self._lines = 0

    def append(self, event: str, **values: object) -> Event:
        """Write an event and return it; DiskError when the disk refuses the write."""
        return self.append_all(event, [values])[0]

    def append_all(self, event: str, each: Sequence[Mapping[str, object]]) -> list[Event]:
        """Write an event for each of the values and return the events as read back.

        Unless `event` is in `PASSING`, the lines are then fsynced in a thread; the next fsync waits for the present
        fsync. DiskError when the disk refuses this write or the fsync before; some events may be on the disk then.
        """
        now = round(time.time(), 3)
        lines = [sealed(_JSON.encode({"event": event, "time": now, **values})) for values in each]
        try:
            self._write("".join(lines))
            if event not in PASSING:
                self._wait()
                self._forced = self._disk.submit(self._force)
        except OSError as error:
            raise DiskError(f"ledger: cannot write {self.path}: {error.strerror}") from error
        return [_read(line) for line in lines]

    def settle(self) -> None:
        """Wait until all events are on the disk; DiskError when the disk refuses."""
        try:
            self._wait()
            if self.path.exists():
                self._force()
        except OSError as error:
            raise DiskError(f"ledger: cannot write {self.path}: {error.strerror}") from error

    def _wait(self) -> None:
        """Wait for the running fsync and raise its error."""
        forced, self._forced = self._forced, None
        if forced is not None:
            forced.result()

    def _force(self) -> None:
        file = os.open(self.path, os.O_RDWR)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def _write(self, text: str) -> None:
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                text = "\n" + text  # the last writer died in the middle of its line
            data = text.encode()
            if os.write(file, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)

    def events(self) -> Iterator[Event]:
        """Yield all readable events; log and skip every other line."""
        self._read_to = self._lines = 0
        return self._read_on(whole=False)

    def news(self) -> Iterator[Event]:
        """Yield the readable events after those read before; a line that is still being written comes next time."""
        return self._read_on(whole=True)

    def _read_on(self, *, whole: bool) -> Iterator[Event]:
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            lines.seek(self._read_to)
            for line in _lines(lines):
                event = _event(line)
                is_over = line.endswith(b"\n") or len(line) == LONGEST
                if event is None and not is_over and whole:
                    return
                if event is not None or is_over:
                    self._read_to = lines.tell()
                self._lines += is_over or not whole
                if event is not None:
                    yield event
                elif line.strip():
                    where = f"{self.path}: line {self._lines}"
                    logging.getLogger(__name__).warning("%s cannot be read, skipped", where)


def _event(line: bytes) -> Event | None:
    """Return the event of a line, None for any other line."""
    try:
        event = _read(line)
        event["event"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return event


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines; of a line longer than `LONGEST` only the beginning, which is no event."""
    while line := file.readline(LONGEST):
        yield line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST)


def sealed(text: str) -> str:
    """Return the line of a JSON object, with a checksum as last field: a disk or a hand may change a figure."""
    return f'{text[:-1]},"crc":"{crc32(text.encode()):08x}"}}\n'


def _read(line: str | bytes) -> Event:
    """Read an event with interned strings: a long study keeps each word once, not once a point."""
    return unsealed(line if isinstance(line, str) else line.decode(), _shared, _finite)


def unsealed(
    text: str,
    pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] = dict,
    constant: Callable[[str], float] = float,
) -> dict[str, Any]:
    """Return the object of a sealed line; ValueError if the line was changed.

    Lines of earlier versions have no checksum.
    """
    found: dict[str, Any] = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    if "crc" in found:
        whole = text.rstrip()
        if whole != sealed(whole[:-18] + "}").rstrip():
            raise ValueError("its checksum does not match")
        del found["crc"]
    return found


def _finite(name: str) -> float:
    raise ValueError(f"figures must be finite, got {name}")


def _shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {sys.intern(key): sys.intern(value) if type(value) is str else value for key, value in pairs}
