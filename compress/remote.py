"""A store in a bucket, at any URL for which fsspec has a file system that writes an object only if there is none.

An entry is one object, a zip of the files that any store has, so it is there whole or not at all. What a machine has
read or made stays in a folder of its own as well; so do the trainings it has begun and what teachers have said.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from compress.errors import DiskError
from compress.files import STRUCTURE, WEIGHTS, Files
from compress.lease import Lease
from compress.measurement import Measurement
from compress.store import RECORD, Entry, Store

LOCAL = "file://"
BUCKETS = ("s3", "gs", "abfs")
"""Protocols of fsspec whose file systems write an object only if there is none, when asked for that."""


def is_remote(where: str) -> bool:
    """Whether that is a URL, but not of a file."""
    return "://" in where and not where.startswith(LOCAL)


def absolute(where: str) -> str:
    """The same for every process of this machine."""
    return where if is_remote(where) else os.path.abspath(os.path.expanduser(where.removeprefix(LOCAL)))


def open_store(where: str) -> Store:
    """The store in a folder or at a URL; ValueError when there can be none."""
    try:
        return RemoteStore(where) if is_remote(where) else Store(Path(absolute(where)))
    except OSError as error:
        raise ValueError(f"store must be writable, got {where}: {error.strerror or error}") from error


class RemoteStore(Store):
    """Entries below `url`; ValueError when it is of no bucket, or the package that fsspec needs for it is missing."""

    def __init__(self, url: str) -> None:
        import fsspec

        protocol, _, path = url.partition("://")
        if protocol not in BUCKETS or not path.strip("/"):
            raise ValueError(f"store must be a folder or BUCKET/PREFIX at {', '.join(BUCKETS)}://, got {url}")
        self.url = url.rstrip("/")
        try:
            self.files, self.base = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise ValueError(f"store: {url}: {error}") from error
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        super().__init__(caches / "paretune" / hashlib.sha256(self.url.encode()).hexdigest()[:16])

    def check(self) -> None:
        """ValueError unless objects can be written there, and none over another that was to be new."""
        probe = f"{self.base}/probe-{uuid.uuid4().hex}"
        try:
            with self._reached():
                self.files.pipe_file(probe, b"", mode="create")
                try:
                    self.files.pipe_file(probe, b"", mode="create")
                except FileExistsError:
                    return
                finally:
                    self.files.rm_file(probe)
        except DiskError as error:
            raise ValueError(f"store must be writable, got {self.url}: {error.__cause__}") from error
        raise ValueError(f"store must refuse to write an object twice, got {self.url}, which does not")

    def lock(self, key: str) -> Lease:
        """As a folder's, for all machines that see the bucket."""
        return Lease(self.files, f"{self.base}/locks/{key}.lease", self.lease_s)

    def get(self, key: str) -> Entry | None:
        """The entry, from this machine's folder or the bucket; DiskError when the bucket does not answer."""
        entry = super().get(key)
        if entry is not None:
            return entry
        try:
            with self._reached(FileNotFoundError):
                packed = self.files.cat_file(self._object(key))
        except FileNotFoundError:
            return None
        with suppress(zipfile.BadZipFile, KeyError):
            with zipfile.ZipFile(io.BytesIO(packed)) as found:
                self._keep(key, Files(found.read(WEIGHTS), found.read(STRUCTURE)), found.read(RECORD))
            entry = super().get(key)
        if entry is None:
            self._set_aside(key, packed)
        return entry

    def put(self, key: str, files: Files, measured: Measurement, made_from: Mapping[str, Any]) -> Entry:
        """To the bucket, then to this machine's folder; the entry that another has made meanwhile if there is one."""
        record = self._record(key, files, measured, made_from)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as into:
            for name, data in ((WEIGHTS, files.weights), (STRUCTURE, files.structure), (RECORD, record)):
                into.writestr(name, data)
        try:
            with self._reached(FileExistsError):
                self.files.pipe_file(self._object(key), packed.getvalue(), mode="create")
        except FileExistsError:
            made = self.get(key)
            if made is not None:
                return made
            return self.put(key, files, measured, made_from)  # it was damaged, and is set aside now
        self._keep(key, files, record)
        return Entry(key, self.path(key), measured, made_from)

    def _object(self, key: str) -> str:
        return f"{self.base}/{key[:2]}/{key}"

    def _set_aside(self, key: str, packed: bytes) -> None:
        aside = f"{self.base}/damaged/{key}-{uuid.uuid4().hex[:8]}"
        with self._reached():
            self.files.pipe_file(aside, packed)
            self.files.rm_file(self._object(key))
        logging.getLogger(__name__).warning("store: entry %s is damaged; moved to %s and made again", key, aside)

    @contextmanager
    def _reached(self, expected: type[Exception] | None = None) -> Iterator[None]:
        """Whatever else a library for buckets raises is a disk that refuses."""
        try:
            yield
        except Exception as error:
            if expected is not None and isinstance(error, expected):
                raise
            raise DiskError(f"store: {self.url}: {type(error).__name__}: {error}") from error
