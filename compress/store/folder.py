"""Where stage results live: one folder an entry, named by the hash of everything that led to it.

An entry is written beside its place and renamed into it, so it is there whole or not at all; its record carries a
checksum of itself and of the files, and an entry that fails it is moved to `damaged/` and made again. Two processes
that want the same entry, on one node or on several, take turns at its lease: a file that its holder touches while it
lives. Not every shared file system has locks, or gives those of a lost node free; all have a file's time.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from filelock import SoftFileLease, Timeout

from compress.errors import DiskError, StoreError
from compress.measurement import Measurement
from compress.models import Model
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.lease import lives

RECORD = "record.json"
VERSION = 1
LARGEST_RECORD = 2**24
"""Bytes."""
_DAMAGE: tuple[type[Exception], ...] = (FileNotFoundError, IsADirectoryError, NotADirectoryError, RecursionError)
_DAMAGE += (ArithmeticError, AttributeError, LookupError, StoreError, TypeError, ValueError)
DRAFT_S = 3600.0
"""Seconds. Containers may share a host's name but not its processes: a younger draft may be of one that lives."""


@dataclass(frozen=True)
class Entry:
    """One stored, measured model: `made_from` is the JSON of what led to it, whose hash is the key.

    `taken_back` says of a round of an adaptive pruner whether the entry is the model before the round; None of any
    other entry, and of a round that an earlier version stored.
    """

    key: str
    path: Path
    measured: Measurement
    made_from: Mapping[str, Any]
    taken_back: bool | None = None

    def files(self) -> Files:
        """The model's files; StoreError when they are gone."""
        return Files.read(self.path)


class Lock(Protocol):
    """Taken by one process after the other."""

    def acquire(self, timeout: float) -> object:
        """`filelock.Timeout` after so many seconds."""

    def release(self) -> None:
        """For the next."""


class Unreadable(Exception):
    """An entry to be left as it is."""


class Store:
    """Entries below `root`, shared by all trials, studies and workers that see the folder."""

    lease_s: ClassVar[float] = 60.0
    """After so long without a sign of life from another node its lease is taken over; of this one, at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (root, root / "partial", root / "locks"):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """The entry's folder, there or not."""
        return self.root / key[:2] / key

    def checkpoint(self, key: str) -> Path:
        """Where the training of an entry in the making keeps its last epoch."""
        return self.root / "partial" / f"{key}.pt"

    def views(self, key: str) -> Path:
        """Where a teacher's logits are kept by view."""
        return self.root / "views" / f"{key}.f16"

    def lock(self, key: str) -> Lock:
        """To be held while making the entry; a holder that was taken for dead and is not has made it in vain."""
        return SoftFileLease(self.root / "locks" / f"{key}.lease", lease_duration=self.lease_s)

    def get(self, key: str, of: Collection[Model] = ()) -> Entry | None:
        """The entry, checked against its checksum; None when there is none, or it was damaged and moved aside.

        With `of`, an entry of another network than those counts as damaged: a function it names would run. StoreError
        when it is sound for all we know but cannot be read: a newer version's, or the disk does not answer.
        """
        path = self.path(key)
        if not (path / WEIGHTS).exists():
            return None
        try:
            if (path / RECORD).stat().st_size > LARGEST_RECORD:
                raise StoreError(f"its {RECORD} must have at most {LARGEST_RECORD:,} bytes")
            record = readable((path / RECORD).read_bytes())
            return self._checked(key, Files.read(path), record, of)
        except (Unreadable, PermissionError) as error:
            raise StoreError(f"store: entry {key} cannot be read: {error}") from error
        except _DAMAGE as error:
            aside = self.root / "damaged" / f"{key}-{time.time_ns()}"
            aside.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # another process has moved it already
                os.rename(path, aside)
            logging.getLogger(__name__).warning(
                "store: entry %s is damaged (%s: %s); moved to %s and made again",
                key,
                type(error).__name__,
                error,
                aside,
            )
            return None

    def _checked(self, key: str, files: Files, record: dict[str, Any], of: Collection[Model]) -> Entry:
        """The entry of that record; StoreError, or whatever comes of odd values, when it is damaged."""
        if record["key"] != key or record["sha256"] != _seal(files, record):
            raise StoreError("its checksum does not match")
        measured, made_from = Measurement(**record["measured"]), record["made_from"]
        if measured.fault or not isinstance(made_from, dict):
            raise StoreError(f"its figures must be numbers, got {measured.fault or made_from}"[:200])
        if of and (origin := files.origin()) not in (wanted := [model.bare for model in of]):
            raise StoreError(f"it must be of {' or '.join(map(str, wanted))}, got {origin}")
        return Entry(key, self.path(key), measured, made_from, record.get("taken_back"))

    def put(
        self,
        key: str,
        files: Files,
        measured: Measurement,
        made_from: Mapping[str, Any],
        taken_back: bool | None = None,
    ) -> Entry:
        """Write an entry, or give the one that another has made meanwhile.

        DiskError with the system's reason when the disk refuses it.
        """
        entry = Entry(key, self.path(key), measured, made_from, taken_back)
        return self._keep(key, files, self._record(entry, files)) or entry

    def _record(self, entry: Entry, files: Files) -> bytes:
        record: dict[str, object] = {
            "version": VERSION,
            "key": entry.key,
            "measured": vars(entry.measured),
            "made_from": entry.made_from,
        }
        if entry.taken_back is not None:
            record["taken_back"] = entry.taken_back
        record["sha256"] = _seal(files, record)
        return json.dumps(record, indent=1).encode()

    def _keep(self, key: str, files: Files, record: bytes) -> Entry | None:
        """Write the entry's files; what another has written there meanwhile."""
        path = self.path(key)
        draft = self.root / "partial" / f"{key}.{socket.gethostname()}-{os.getpid()}"
        try:
            draft.mkdir(parents=True, exist_ok=True)
            files.write(draft)
            (draft / RECORD).write_bytes(record)
            for name in (WEIGHTS, STRUCTURE, RECORD):
                with (draft / name).open("rb") as file:
                    os.fsync(file.fileno())
            path.parent.mkdir(exist_ok=True)
            if path.exists() and not (path / WEIGHTS).exists():  # only a record that `clean` left
                shutil.rmtree(path)
            os.rename(draft, path)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            made = Store.get(self, key) if error.errno in (errno.ENOTEMPTY, errno.EEXIST) else None
            if made is not None:
                return made
            raise DiskError(f"store: cannot write {path}: {error.strerror or error}") from error
        return None

    def tidy(self) -> None:
        """Take away what processes of this machine have left that died: leases, and files they were writing."""
        for file in (self.root / "locks").glob("*.lease"):
            lease = SoftFileLease(file, lease_duration=self.lease_s)
            with suppress(Timeout, OSError):  # its holder lives, or is of another machine
                lease.acquire(timeout=0)
                lease.release()
        for draft in (self.root / "partial").glob(f"*.{socket.gethostname()}-*"):
            pid = draft.name.rpartition("-")[2]
            with suppress(OSError):
                old = time.time() - draft.stat().st_mtime > DRAFT_S
                if old and pid.isdigit() and not lives(int(pid)):
                    shutil.rmtree(draft) if draft.is_dir() else draft.unlink()

    def drop_views(self) -> int:
        """Delete what teachers have said, to be asked again when needed; the bytes freed."""
        files = list((self.root / "views").glob("*.f16"))
        freed = sum(512 * file.stat().st_blocks for file in files)
        for file in files:
            file.unlink()
        return freed

    def drop(self, key: str) -> int:
        """Delete the entry's model but keep its record; the bytes freed."""
        freed = 0
        for name in (WEIGHTS, STRUCTURE):
            file = self.path(key) / name
            if file.exists():
                freed += file.stat().st_size
                file.unlink()
        return freed


def readable(text: bytes) -> dict[str, Any]:
    """A record, whatever else it says; Unreadable of a newer version's, or what comes of odd bytes."""
    record: dict[str, Any] = json.loads(text)
    if record["version"] > VERSION:
        raise Unreadable(f"written by a newer version, {record['version']}; this one reads {VERSION}")
    return record


def _seal(files: Files, record: Mapping[str, object]) -> str:
    """A hash of the files and of all the record says but this hash: a figure that changed is damage too."""
    said = json.dumps({name: value for name, value in record.items() if name != "sha256"}, sort_keys=True)
    return hashlib.sha256((files.sha256 + said).encode()).hexdigest()
