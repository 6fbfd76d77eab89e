"""A lease on an object of a bucket, as `filelock.SoftFileLease` is one on a file.

Who holds it writes it anew while it lives; who waits takes it over when it has not changed for a time by the waiter's
own clock, or at once from a dead process of its own machine. Two may then hold it: what it guards bears that.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from typing import Any

from filelock import Timeout

from compress.errors import DiskError

POLL_S = 0.5


class Lease:
    """On the object at `path` of `files`, an fsspec file system, for so many `seconds` at a time."""

    def __init__(self, files: Any, path: str, seconds: float) -> None:
        self.files, self.path, self.duration = files, path, seconds
        self.token = uuid.uuid4().hex
        self._seen: tuple[bytes | None, float] = (None, 0.0)
        self._released = threading.Event()

    def acquire(self, timeout: float) -> None:
        """`filelock.Timeout` after so many seconds; DiskError when the bucket does not answer."""
        until = time.monotonic() + timeout
        while not self._claimed():
            held = self._read()
            if held is not None and self._is_stale(held):
                if self._read() == held:
                    self._remove()
            elif time.monotonic() > until:
                raise Timeout(self.path)
            elif held is not None:
                time.sleep(min(POLL_S, self.duration / 3))
        self._released = threading.Event()
        threading.Thread(target=self._beat, args=(self._released,), daemon=True).start()

    def release(self) -> None:
        """If it is still ours."""
        self._released.set()
        if self._is_ours(self._read()):
            self._remove()

    def _claimed(self) -> bool:
        try:
            self.files.pipe_file(self.path, self._claim(0), mode="create")
        except FileExistsError:
            return False
        except Exception as error:
            raise DiskError(f"store: {self.path}: {type(error).__name__}: {error}") from error
        return True

    def _claim(self, beat: int) -> bytes:
        who = {"token": self.token, "host": socket.gethostname(), "pid": os.getpid(), "beat": beat}
        return json.dumps(who).encode()

    def _beat(self, released: threading.Event) -> None:
        """Until it is released, or another has taken it over."""
        beat = 0
        while not released.wait(self.duration / 3):
            beat += 1
            try:
                if not self._is_ours(self._read()):
                    return
                self.files.pipe_file(self.path, self._claim(beat))
            except Exception as error:  # whatever it was, the next beat may come through
                logging.getLogger(__name__).warning("store: %s could not be held on to: %s", self.path, error)

    def _is_ours(self, held: bytes | None) -> bool:
        return held is not None and self.token.encode() in held

    def _is_stale(self, held: bytes) -> bool:
        now = time.monotonic()
        if held != self._seen[0]:
            self._seen = held, now
        with suppress(ValueError, KeyError, TypeError):
            who = json.loads(held)
            if who["host"] == socket.gethostname() and not _lives(who["pid"]):
                return True
        return now - self._seen[1] >= self.duration

    def _read(self) -> bytes | None:
        try:
            found: bytes = self.files.cat_file(self.path)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise DiskError(f"store: {self.path}: {type(error).__name__}: {error}") from error
        return found

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            self.files.rm_file(self.path)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
