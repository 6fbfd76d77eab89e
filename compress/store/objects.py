"""A bucket at a URL of fsspec: read, write, create and remove objects, and retry while the bucket does not answer."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from compress.errors import DiskError

T = TypeVar("T")
PROTOCOLS = ("s3", "gs", "abfs")
"""Protocols with a conditional write: their file systems can create an object and refuse to overwrite."""
PATIENCE_S = 600.0
"""Seconds during which a failed call is repeated, by default."""
POLL_S = 5.0
CONFLICT = "ConditionalRequestConflict"
"""S3's answer to a conditional write during another client's write or removal; s3fs has no error class for the code."""

ONE_REQUEST: dict[str, dict[str, Any]] = {"gs": {"chunksize": sys.maxsize}}
"""Arguments by which a new object is one request, which has the condition; gcsfs divides from 50 MiB on."""
REFUSED = 401, 403, 404
"""Answers of Azure that stay the same when asked again: access is denied, or there is no such container."""


class Bucket:
    """Objects below `url`; ValueError for a URL of no bucket, or if fsspec lacks the package for the protocol.

    Every method retries for `patience` seconds, then raises DiskError; DiskError at once if access is denied, or if the
    bucket does not exist.
    """

    def __init__(self, url: str, patience: float = PATIENCE_S) -> None:
        import fsspec

        protocol, _, path = url.partition("://")
        if protocol not in PROTOCOLS or not path.strip("/"):
            raise ValueError(f"store must be a folder or BUCKET/PREFIX at {', '.join(PROTOCOLS)}://, got {url}")
        self.url, self.patience, self._one_request = url, patience, ONE_REQUEST.get(protocol, {})
        try:
            self.files, self.base = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ValueError(f"store: {url}: {error}") from error

    def read(self, name: str) -> bytes | None:
        """Return the object's bytes, or None if the bucket has no object `name`."""
        with suppress(FileNotFoundError):
            return self._patiently(lambda: bytes(self.files.cat_file(self._path(name))), FileNotFoundError)
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write an object, over an existing object of the same name."""
        self._patiently(lambda: self.files.pipe_file(self._path(name), data))

    def create(self, name: str, data: bytes) -> bool:
        """Write an object; return False, without writing, if the name is taken."""

        def create() -> bool:
            try:
                self.files.pipe_file(self._path(name), data, mode="create", **self._one_request)
            except FileExistsError:
                return False
            except OSError as error:
                if CONFLICT not in str(error):
                    raise
                return False
            return True

        return self._patiently(create)

    def has(self, name: str) -> bool:
        """Whether the bucket has an object `name`."""
        return self._patiently(lambda: bool(self.files.exists(self._path(name))))

    def remove(self, name: str) -> None:
        """Remove an object, if the bucket has it."""
        with suppress(FileNotFoundError):
            self._patiently(lambda: self.files.rm_file(self._path(name)), FileNotFoundError)

    def _path(self, name: str) -> str:
        return f"{self.base}/{name}"

    def _patiently(self, act: Callable[[], T], expected: type[Exception] | None = None) -> T:
        """Call `act` until it returns; raise `expected` as it comes, DiskError once `patience` is over.

        Any other error may pass and is retried: every library for buckets has error classes of its own.
        """
        until = time.monotonic() + self.patience
        while True:
            try:
                return act()
            except Exception as error:
                if expected is not None and isinstance(error, expected):
                    raise
                why = said(error)
                if _is_final(error) or time.monotonic() >= until:
                    raise DiskError(f"store: {self.url}: {type(error).__name__}: {why}") from error
            logging.getLogger(__name__).warning("store: %s does not answer (%s); it is asked again", self.url, why)
            time.sleep(POLL_S)


def said(error: BaseException | None) -> str:
    """Return what a cloud says about a failed call, in one line: gcsfs and adlfs say it in several."""
    return " ".join(str(error).splitlines()[:2])


def _is_final(error: Exception) -> bool:
    """Whether the same call would fail again: access is denied, or the bucket does not exist."""
    denied = isinstance(error, PermissionError | FileNotFoundError) or str(error).startswith("Forbidden: ")  # gcsfs
    return denied or getattr(error, "status_code", None) in REFUSED
