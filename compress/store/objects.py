"""A bucket at a URL of fsspec: objects are read, written, written if there are none; a fault is waited out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from compress.errors import DiskError

T = TypeVar("T")
PROTOCOLS = ("s3", "gs", "abfs")
"""Whose file systems write an object only if there is none, when asked for that."""
PATIENCE_S = 600.0
POLL_S = 5.0
CONFLICT = "ConditionalRequestConflict"
"""S3's answer to writing what somebody else writes or removes at that moment; s3fs has no error of its own for it."""


class Bucket:
    """What lies below `url`; ValueError when it is of no bucket, or the package that fsspec needs for it is missing.

    Every verb tries for `patience` seconds, then it is a DiskError; at once when access is denied.
    """

    def __init__(self, url: str, patience: float = PATIENCE_S) -> None:
        import fsspec

        protocol, _, path = url.partition("://")
        if protocol not in PROTOCOLS or not path.strip("/"):
            raise ValueError(f"store must be a folder or BUCKET/PREFIX at {', '.join(PROTOCOLS)}://, got {url}")
        self.url, self.patience = url, patience
        try:
            self.files, self.base = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ValueError(f"store: {url}: {error}") from error

    def read(self, name: str) -> bytes | None:
        """The object's bytes, None without one."""
        with suppress(FileNotFoundError):
            return self._patiently(lambda: bytes(self.files.cat_file(self._path(name))), FileNotFoundError)
        return None

    def write(self, name: str, data: bytes) -> None:
        """Over what is there."""
        self._patiently(lambda: self.files.pipe_file(self._path(name), data))

    def create(self, name: str, data: bytes) -> bool:
        """Write it if there is none; whether there was none."""

        def create() -> bool:
            try:
                self.files.pipe_file(self._path(name), data, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if CONFLICT not in str(error):
                    raise
                return False
            return True

        return self._patiently(create)

    def has(self, name: str) -> bool:
        """Whether it is there."""
        return self._patiently(lambda: bool(self.files.exists(self._path(name))))

    def remove(self, name: str) -> None:
        """If it is there."""
        with suppress(FileNotFoundError):
            self._patiently(lambda: self.files.rm_file(self._path(name)), FileNotFoundError)

    def _path(self, name: str) -> str:
        return f"{self.base}/{name}"

    def _patiently(self, act: Callable[[], T], expected: type[Exception] | None = None) -> T:
        """Whatever else a library for buckets raises, for each has errors of its own, may pass."""
        until = time.monotonic() + self.patience
        while True:
            try:
                return act()
            except Exception as error:
                if expected is not None and isinstance(error, expected):
                    raise
                if isinstance(error, PermissionError | FileNotFoundError) or time.monotonic() >= until:
                    raise DiskError(f"store: {self.url}: {type(error).__name__}: {error}") from error
                why: Any = error
            logging.getLogger(__name__).warning("store: %s does not answer (%s); it is asked again", self.url, why)
            time.sleep(POLL_S)
