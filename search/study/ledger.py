"""The one place where a study is true: an append-only file of JSON lines.

MLflow mirrors it, Optuna is told what it says, Ray knows nothing of it. What a process has written outlives it. Should
the machine itself go, every trial is there that was asked for more than a moment before, and all that came before it;
what came since comes again from the store. A line that a crash cut short is skipped on reading; all before it is there.
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
"""Events that are on the disk with the next one that is none of these: the models they speak of are in the store."""
LONGEST = 2**24
"""Bytes of a line."""
Event = dict[str, Any]
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class Ledger:
    """Events of one study in `folder`, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._disk = ThreadPoolExecutor(1, "ledger")
        self._forced: Future[None] | None = None

    def append(self, event: str, **values: object) -> Event:
        """Write one event and return it; DiskError when the disk refuses it."""
        return self.append_all(event, [values])[0]

    def append_all(self, event: str, each: Sequence[Mapping[str, object]]) -> list[Event]:
        """Write an event for each of these values and return them, as they will be read.

        But for events in `PASSING` they are then forced to the disk, which nobody waits for until the next ones are.
        DiskError when it refuses these or those before; some of them may be there then.
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
        """Have all of it on the disk; DiskError when that refuses."""
        try:
            self._wait()
            if self.path.exists():
                self._force()
        except OSError as error:
            raise DiskError(f"ledger: cannot write {self.path}: {error.strerror}") from error

    def _wait(self) -> None:
        """For what is being forced to the disk; raises what came of it."""
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
        """All readable events; a line that is none is skipped and said."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for number, line in enumerate(_lines(lines), 1):
                if not line.strip():
                    continue
                try:
                    event = _read(line)
                    event["event"]
                except (ValueError, TypeError, LookupError, RecursionError):
                    logging.getLogger(__name__).warning("%s: line %d cannot be read, skipped", self.path, number)
                    continue
                yield event


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines; one too long for an event as its beginning, which is none."""
    while line := file.readline(LONGEST):
        yield line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST)


def sealed(text: str) -> str:
    """The line of a JSON object, with a checksum as its last field, for a disk or a hand may change a figure."""
    return f'{text[:-1]},"crc":"{crc32(text.encode()):08x}"}}\n'


def _read(line: str | bytes) -> Event:
    """An event whose words are those of the events before: a long study has them once, not once a point."""
    return unsealed(line if isinstance(line, str) else line.decode(), _shared, _finite)


def unsealed(
    text: str,
    pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] = dict,
    constant: Callable[[str], float] = float,
) -> dict[str, Any]:
    """The object of such a line; ValueError if it was changed. Lines of earlier versions have no checksum."""
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
