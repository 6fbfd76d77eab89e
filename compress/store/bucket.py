"""A store in a bucket.

An entry is one object, a zip of the files that any store has, so it is there whole or not at all. What a machine has
read or made stays in a folder of its own as well; so do the trainings it has begun and what teachers have said.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import os
import uuid
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from compress.errors import DiskError, StoreError
from compress.measurement import Measurement
from compress.models import Model
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.folder import RECORD, Entry, Store, Unreadable, readable
from compress.store.lease import Lease
from compress.store.objects import Bucket

LOCAL = "file://"
SAMPLE = 20


def is_remote(where: str) -> bool:
    """Whether that is a URL, but not of a file."""
    return "://" in where and not where.startswith(LOCAL)


def absolute(where: str) -> str:
    """The same place for every process of this machine, in one spelling; ValueError of no place at all."""
    if not where.strip():
        raise ValueError(f"store must be a folder or a URL, got {where!r}")
    scheme, _, path = where.partition("://")
    return f"{scheme}://{path.rstrip('/')}" if is_remote(where) else os.path.abspath(where.removeprefix(LOCAL))


def open_store(where: str) -> Store:
    """The store in a folder or at a URL; ValueError when there can be none, DiskError when the disk refuses it."""
    try:
        return RemoteStore(where) if is_remote(where) else Store(Path(absolute(where)))
    except OSError as error:
        raise DiskError(f"store: cannot write {error.filename}: {error.strerror or error}") from error


def check_store(where: str) -> None:
    """ValueError unless a bucket can be written to; of a folder nothing is asked."""
    if is_remote(where):
        try:
            RemoteStore(where).check()
        except OSError as error:
            raise ValueError(f"store: cannot write {error.filename}: {error.strerror or error}") from error


def check_readable(where: str) -> None:
    """ValueError if entries in a folder are of a newer version; some are looked at, for all are many."""
    if not is_remote(where):
        for record in itertools.islice(Path(absolute(where)).glob(f"??/*/{RECORD}"), SAMPLE):
            try:
                readable(record.read_bytes())
            except Unreadable as error:
                raise ValueError(f"store: entries in {where} cannot be read: {error}") from error
            except (OSError, ValueError, KeyError, TypeError):  # damaged: made again when it is needed
                continue


class RemoteStore(Store):
    """Entries below `url`; ValueError when that is of no bucket."""

    def __init__(self, url: str) -> None:
        self.url = absolute(url)
        self.bucket = Bucket(self.url)
        self._there: set[str] = set()
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        super().__init__(caches / "paretune" / hashlib.sha256(self.url.encode()).hexdigest()[:16])

    def check(self) -> None:
        """ValueError unless objects can be written there, and none over another that was to be new."""
        bucket, probe = Bucket(self.url, patience=0.0), f"probe-{uuid.uuid4().hex}"
        try:
            created = [bucket.create(probe, b"") for _ in range(2)]
            bucket.remove(probe)
        except DiskError as error:
            raise ValueError(f"store must be writable, got {self.url}: {error.__cause__}") from error
        if created != [True, False]:
            raise ValueError(f"store must refuse to write an object twice, got {self.url}, which does not")

    def lock(self, key: str) -> Lease:
        """As a folder's, for all machines that see the bucket."""
        return Lease(self.bucket, f"locks/{key}.lease", self.lease_s)

    def get(self, key: str, of: Collection[Model] = ()) -> Entry | None:
        """The entry, from this machine's folder or the bucket; DiskError when the bucket does not answer."""
        entry = super().get(key, of)
        if entry is not None:
            if key not in self._there and not self.bucket.has(_object(key)):  # somebody has removed it
                self._upload(key, entry.files(), (entry.path / RECORD).read_bytes())
            self._there.add(key)
            return entry
        packed = self.bucket.read(_object(key))
        if packed is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as found:
                _check_sizes(found, len(packed))
                record = found.read(RECORD)
                said = readable(record)
                files = Files(found.read(WEIGHTS), found.read(STRUCTURE))
            self._checked(key, files, said, of)
        except Unreadable as error:
            raise StoreError(f"store: entry {key} cannot be read: {error}") from error
        except Exception as error:  # of a damaged zip anything may be raised
            self._set_aside(key, packed, error)
            return None
        self._there.add(key)
        self._keep(key, files, record)
        return super().get(key, of)

    def put(
        self,
        key: str,
        files: Files,
        measured: Measurement,
        made_from: Mapping[str, Any],
        taken_back: bool | None = None,
    ) -> Entry:
        """To the bucket, then to this machine's folder; the entry that another has made meanwhile if there is one."""
        entry = Entry(key, self.path(key), measured, made_from, taken_back)
        record = self._record(entry, files)
        while not self._upload(key, files, record):
            made = self.get(key)  # if it was damaged it is set aside now
            if made is not None:
                return made
        self._there.add(key)
        return self._keep(key, files, record) or entry

    def _upload(self, key: str, files: Files, record: bytes) -> bool:
        """Whether there was none."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as into:
            for name, data in ((WEIGHTS, files.weights), (STRUCTURE, files.structure), (RECORD, record)):
                into.writestr(name, data)
        return self.bucket.create(_object(key), packed.getvalue())

    def _set_aside(self, key: str, packed: bytes, error: Exception) -> None:
        aside = f"damaged/{key}-{uuid.uuid4().hex[:8]}"
        self.bucket.write(aside, packed)
        if self.bucket.read(_object(key)) == packed:  # nobody was faster and has made it again
            self.bucket.remove(_object(key))
        logging.getLogger(__name__).warning(
            "store: entry %s is damaged (%s: %s); moved to %s/%s and made again",
            key,
            type(error).__name__,
            error,
            self.url,
            aside,
        )


def _check_sizes(found: zipfile.ZipFile, most: int) -> None:
    """StoreError for what would unpack to more bytes than the object has: ours are not deflated."""
    if any(one.compress_type != zipfile.ZIP_STORED or one.file_size > most for one in found.infolist()):
        raise StoreError("its files must lie in it as they are, not packed")


def _object(key: str) -> str:
    return f"{key[:2]}/{key}"
