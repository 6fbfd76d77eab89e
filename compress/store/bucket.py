"""A store in a bucket, with a folder of the machine's own as its cache.

An entry is a single object, a zip of the files an entry has in any store: no reader sees half an entry. The cache holds
every entry the machine has read or made, the checkpoints of unfinished trainings, and teachers' logits.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import os
import uuid
import zipfile
from collections.abc import Collection
from pathlib import Path

from compress.errors import DiskError, StoreError
from compress.models import Model
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.folder import RECORD, Entry, Store, Unreadable, readable
from compress.store.lease import Lease
from compress.store.objects import Bucket, said

LOCAL = "file://"
SAMPLE = 20


def is_remote(where: str) -> bool:
    """Whether `where` is a URL other than `file://`."""
    return "://" in where and not where.startswith(LOCAL)


def absolute(where: str) -> str:
    """Return the absolute path or URL of a store, spelt the same for every process; ValueError for an empty name."""
    if not where.strip():
        raise ValueError(f"store must be a folder or a URL, got {where!r}")
    scheme, _, path = where.partition("://")
    return f"{scheme}://{path.rstrip('/')}" if is_remote(where) else os.path.abspath(where.removeprefix(LOCAL))


def open_store(where: str) -> Store:
    """Open the store in a folder or at a URL; ValueError for a URL of no bucket, DiskError if the disk refuses."""
    try:
        return RemoteStore(where) if is_remote(where) else Store(Path(absolute(where)))
    except OSError as error:
        raise DiskError(f"store: cannot write {error.filename}: {error.strerror or error}") from error


def check_store(where: str) -> None:
    """Raise ValueError unless the bucket can be written to; a folder is not tried."""
    if is_remote(where):
        try:
            RemoteStore(where).check()
        except OSError as error:
            raise ValueError(f"store: cannot write {error.filename}: {error.strerror or error}") from error


def check_readable(where: str) -> None:
    """Raise ValueError if a folder has entries of a newer version; only the first `SAMPLE` entries are read."""
    if not is_remote(where):
        for record in itertools.islice(Path(absolute(where)).glob(f"??/*/{RECORD}"), SAMPLE):
            try:
                readable(record.read_bytes())
            except Unreadable as error:
                raise ValueError(f"store: entries in {where} cannot be read: {error}") from error
            except (OSError, ValueError, KeyError, TypeError):  # a damaged entry is made again when needed
                continue


class RemoteStore(Store):
    """Entries below `url`; ValueError for a URL of no bucket."""

    def __init__(self, url: str) -> None:
        self.url = absolute(url)
        self.bucket = Bucket(self.url)
        self._in_bucket: set[str] = set()
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        super().__init__(caches / "paretune" / hashlib.sha256(self.url.encode()).hexdigest()[:16])

    def check(self) -> None:
        """Raise ValueError unless the bucket takes objects, and refuses to create an object twice."""
        bucket, probe = Bucket(self.url, patience=0.0), f"probe-{uuid.uuid4().hex}"
        try:
            created = [bucket.create(probe, b"") for _ in range(2)]
            bucket.remove(probe)
        except DiskError as error:
            missing = isinstance(error.__cause__, FileNotFoundError)  # gcsfs then says the address alone
            why = "the bucket does not exist" if missing else said(error.__cause__)
            raise ValueError(f"store must be writable, got {self.url}: {why}") from error
        if created != [True, False]:
            raise ValueError(f"store must refuse to write an object twice, got {self.url}, which does not")

    def lock(self, key: str) -> Lease:
        """Return the lease of an entry, respected by all machines with access to the bucket."""
        return Lease(self.bucket, f"locks/{key}.lease", self.lease_s)

    def get(self, key: str, of: Collection[Model] = ()) -> Entry | None:
        """Return the entry, from the machine's cache or the bucket; DiskError if the bucket does not answer."""
        entry = super().get(key, of)
        if entry is not None:
            if key not in self._in_bucket and not self.bucket.has(_object(key)):  # removed from the bucket since
                self._upload(key, entry.files(), (entry.path / RECORD).read_bytes())
            self._in_bucket.add(key)
            return entry
        packed = self.bucket.read(_object(key))
        if packed is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                _check_sizes(archive, len(packed))
                record = archive.read(RECORD)
                files = Files(archive.read(WEIGHTS), archive.read(STRUCTURE))
            self._verify(key, files, readable(record), of)
        except Unreadable as error:
            raise StoreError(f"store: entry {key} cannot be read: {error}") from error
        except Exception as error:  # a damaged zip may raise any error
            self._set_aside(key, packed, error)
            return None
        self._in_bucket.add(key)
        self._write(key, files, record)
        return super().get(key, of)

    def _read_beside(self, kind: str, key: str) -> bytes | None:
        return self.bucket.read(f"{kind}/{_object(key)}")

    def _keep_beside(self, kind: str, key: str, packed: bytes) -> None:
        self.bucket.write(f"{kind}/{_object(key)}", packed)

    def _commit(self, entry: Entry, files: Files) -> Entry:
        """Write the entry to the bucket and the cache, or return the entry another process has written meanwhile."""
        record = self._record(entry, files)
        while not self._upload(entry.key, files, record):
            made = self.get(entry.key)  # a damaged entry is set aside here: the next upload succeeds
            if made is not None:
                return made
        self._in_bucket.add(entry.key)
        return self._write(entry.key, files, record) or entry

    def _upload(self, key: str, files: Files, record: bytes) -> bool:
        """Create the entry's object; False if the bucket has the object already."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as into:
            for name, data in ((WEIGHTS, files.weights), (STRUCTURE, files.structure), (RECORD, record)):
                into.writestr(name, data)
        return self.bucket.create(_object(key), packed.getvalue())

    def _set_aside(self, key: str, packed: bytes, error: Exception) -> None:
        aside = f"damaged/{key}-{uuid.uuid4().hex[:8]}"
        self.bucket.write(aside, packed)
        if self.bucket.read(_object(key)) == packed:  # else another process has made the entry again
            self.bucket.remove(_object(key))
        logging.getLogger(__name__).warning(
            "store: entry %s is damaged (%s: %s); moved to %s/%s and made again",
            key,
            type(error).__name__,
            error,
            self.url,
            aside,
        )


def _check_sizes(archive: zipfile.ZipFile, most: int) -> None:
    """Raise StoreError for a file stored compressed or larger than `most` bytes: `_upload` writes neither."""
    if any(file.compress_type != zipfile.ZIP_STORED or file.file_size > most for file in archive.infolist()):
        raise StoreError("its files must lie in the zip uncompressed")


def _object(key: str) -> str:
    return f"{key[:2]}/{key}"
