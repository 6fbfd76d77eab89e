"""A store in a folder: every stage result is an entry, a folder named by the hash of everything the result depends on.

An entry is written under `partial/` and renamed into place: no reader sees half an entry. The record carries a checksum
of itself and of the model's files. An entry with a wrong checksum is moved to `damaged/` and made again.

Two processes in want of the same entry, on the same node or not, take turns at the entry's lease: a file touched by its
holder for as long as the holder lives. Not every shared file system has locks, or frees the locks of a lost node; every
file system has times of change.
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

from compress.errors import DiskError, StoreError, shortened
from compress.measurement import Measurement
from compress.models import Model
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.lease import lives

RECORD = "record.json"
VERSION = 1
OUTPUTS, SERIES = "outputs", "series"
_BESIDE = {OUTPUTS: "safetensors", SERIES: "json"}
"""Kinds of files kept beside the entries, each with its ending."""
LARGEST_RECORD = 2**24
"""Size in bytes above which a record counts as damaged."""
_DAMAGE: tuple[type[Exception], ...] = (FileNotFoundError, IsADirectoryError, NotADirectoryError, RecursionError)
_DAMAGE += (ArithmeticError, AttributeError, LookupError, StoreError, TypeError, ValueError)
DRAFT_S = 3600.0
"""Age in seconds from which `tidy` removes a draft of a dead process.

Containers may share a host's name but not its process numbers: the writer of a younger draft may live in another
container.
"""


@dataclass(frozen=True)
class Entry:
    """A stored, measured model. `made_from` is the JSON of everything the model depends on; its hash is the key.

    `taken_back` says of a round of an adaptive pruner whether the entry is the model before the round; None for any
    other entry, and for a round that an earlier version stored.
    """

    key: str
    path: Path
    measured: Measurement
    made_from: Mapping[str, Any]
    taken_back: bool | None = None

    def files(self) -> Files:
        """Read the model's files; StoreError if they are gone."""
        return Files.read(self.path)


class Lock(Protocol):
    """A lock held by at most one process at a time."""

    def acquire(self, timeout: float) -> object:
        """Take the lock; `filelock.Timeout` after `timeout` seconds of waiting."""

    def release(self) -> None:
        """Give the lock back."""


class Unreadable(Exception):
    """An entry of a newer version: neither read nor moved aside."""


class Store:
    """Entries below `root`, shared by all trials, studies and workers with access to the folder."""

    lease_s: ClassVar[float] = 60.0
    """Seconds without a sign of life, after which a lease of another node is taken over.

    A lease of a dead process of the same node is taken over at once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (root, root / "partial", root / "locks"):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Return the entry's folder, whether or not the entry exists."""
        return self.root / key[:2] / key

    def checkpoint(self, key: str) -> Path:
        """Return the file for the last epoch of an entry's unfinished training."""
        return self.root / "partial" / f"{key}.pt"

    def views(self, key: str) -> Path:
        """Return the file for a teacher's logits, by view of the images."""
        return self.root / "views" / f"{key}.f16"

    def lock(self, key: str) -> Lock:
        """Return the lock to hold while making the entry.

        A holder silent for `lease_s` is taken for dead, and the lease is taken over. If the holder is alive after all,
        its work is in vain: `put` returns the entry of the other process.
        """
        return SoftFileLease(self.root / "locks" / f"{key}.lease", lease_duration=self.lease_s)

    def get(self, key: str, of: Collection[Model] = ()) -> Entry | None:
        """Return the entry, checked against its checksum; None if missing, or damaged and now moved aside.

        With `of`, an entry of any other network counts as damaged: loading would run the function named in the entry.
        StoreError for an entry of a newer version, or if the disk denies access; the entry stays in place.
        """
        path = self.path(key)
        if not (path / WEIGHTS).exists():
            return None
        try:
            if (path / RECORD).stat().st_size > LARGEST_RECORD:
                raise StoreError(f"its {RECORD} must have at most {LARGEST_RECORD:,} bytes")
            record = readable((path / RECORD).read_bytes())
            return self._verify(key, Files.read(path), record, of)
        except (Unreadable, PermissionError) as error:
            raise StoreError(f"store: entry {key} cannot be read: {error}") from error
        except _DAMAGE as error:
            aside = self.root / "damaged" / f"{key}-{time.time_ns()}"
            aside.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # another process has moved the entry already
                os.rename(path, aside)
            logging.getLogger(__name__).warning(
                "store: entry %s is damaged (%s: %s); moved to %s and made again",
                key,
                type(error).__name__,
                error,
                aside,
            )
            return None

    def _verify(self, key: str, files: Files, record: dict[str, Any], of: Collection[Model]) -> Entry:
        """Return the entry of a record; an error of `_DAMAGE` if the record or the files are damaged."""
        if record["key"] != key or record["sha256"] != _seal(files, record):
            raise StoreError("its checksum does not match")
        measured, made_from = Measurement.from_json(record["measured"]), record["made_from"]
        if measured.fault or not isinstance(made_from, dict):
            raise StoreError(shortened(f"its figures must be numbers, got {measured.fault or made_from}", 200))
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
        """Write an entry, or return the entry another process has written meanwhile.

        DiskError with the system's reason if the disk refuses.
        """
        return self._commit(Entry(key, self.path(key), measured, made_from, taken_back), files)

    def _commit(self, entry: Entry, files: Files) -> Entry:
        return self._write(entry.key, files, self._record(entry, files)) or entry

    def _record(self, entry: Entry, files: Files) -> bytes:
        record: dict[str, object] = {
            "version": VERSION,
            "key": entry.key,
            "measured": entry.measured.as_json(),
            "made_from": entry.made_from,
        }
        if entry.taken_back is not None:
            record["taken_back"] = entry.taken_back
        record["sha256"] = _seal(files, record)
        return json.dumps(record, indent=1).encode()

    def _write(self, key: str, files: Files, record: bytes) -> Entry | None:
        """Write the entry's files; return the entry if another process has written it meanwhile, else None."""
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
            if path.exists() and not (path / WEIGHTS).exists():  # `clean` has left the record only
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
        """Remove leases and unfinished files of dead processes of this machine."""
        for file in (self.root / "locks").glob("*.lease"):
            lease = SoftFileLease(file, lease_duration=self.lease_s)
            with suppress(Timeout, OSError):  # the holder lives, or runs on another machine
                lease.acquire(timeout=0)
                lease.release()
        for draft in (self.root / "partial").glob(f"*.{socket.gethostname()}-*"):
            pid = draft.name.rpartition("-")[2]
            with suppress(OSError):
                old = time.time() - draft.stat().st_mtime > DRAFT_S
                if old and pid.isdigit() and not lives(int(pid)):
                    shutil.rmtree(draft) if draft.is_dir() else draft.unlink()

    def outputs(self, key: str) -> bytes | None:
        """Return the packed outputs kept of an entry's model; None if there are none."""
        return self._read_beside(OUTPUTS, key)

    def keep_outputs(self, key: str, packed: bytes) -> None:
        """Keep the packed outputs of an entry's model; DiskError with the system's reason if the disk refuses."""
        self._keep_beside(OUTPUTS, key, packed)

    def series(self, key: str) -> bytes | None:
        """Return the series of an entry's training (`compress/store/series.py`); None if there is none."""
        return self._read_beside(SERIES, key)

    def keep_series(self, key: str, packed: bytes) -> None:
        """Keep the series of an entry's training; DiskError with the system's reason if the disk refuses."""
        self._keep_beside(SERIES, key, packed)

    def _read_beside(self, kind: str, key: str) -> bytes | None:
        try:
            return self._beside(kind, key).read_bytes()
        except FileNotFoundError:
            return None

    def _keep_beside(self, kind: str, key: str, packed: bytes) -> None:
        file = self._beside(kind, key)
        draft = self.root / "partial" / f"{key}-{kind}.{socket.gethostname()}-{os.getpid()}"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(packed)
            os.replace(draft, file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise DiskError(f"store: cannot write {file}: {error.strerror or error}") from error

    def _beside(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / f"{key}.{_BESIDE[kind]}"

    def drop_views(self, *, dry_run: bool = False) -> int:
        """Delete all teachers' logits, computed again when needed; return the bytes freed.

        With `dry_run` nothing is deleted.
        """
        files = list((self.root / "views").glob("*.f16"))
        freed = sum(512 * file.stat().st_blocks for file in files)
        for file in files if not dry_run else ():
            file.unlink()
        return freed

    def drop(self, key: str, *, dry_run: bool = False) -> int:
        """Delete the entry's model but keep its record, outputs and series; return the bytes freed.

        With `dry_run` nothing is deleted.
        """
        files = [file for name in (WEIGHTS, STRUCTURE) if (file := self.path(key) / name).exists()]
        freed = sum(file.stat().st_size for file in files)
        for file in files if not dry_run else ():
            file.unlink()
        return freed


def readable(text: bytes) -> dict[str, Any]:
    """Parse a record; Unreadable if of a newer version, ValueError, KeyError or TypeError if damaged."""
    record: dict[str, Any] = json.loads(text)
    if record["version"] > VERSION:
        raise Unreadable(f"written by a newer version, {record['version']}; this one reads {VERSION}")
    return record


def _seal(files: Files, record: Mapping[str, object]) -> str:
    """Return the sha256 of the files and of the whole record but its `sha256`: a changed figure is damage too."""
    text = json.dumps({name: value for name, value in record.items() if name != "sha256"}, sort_keys=True)
    return hashlib.sha256((files.sha256 + text).encode()).hexdigest()
