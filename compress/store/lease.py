"""A lease on an object of a bucket: the counterpart of `filelock.SoftFileLease` for files.

The holder rewrites the object for as long as the holder lives. A waiter takes the lease over once the object has not
changed for some seconds by the waiter's clock, or at once from a dead process of the waiter's machine. Two processes
may then hold the lease: `Store.put` allows for two writers of an entry.
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

from filelock import Timeout

from compress.errors import DiskError
from compress.store.objects import Bucket

POLL_S = 0.5


class Lease:
    """Lease on the object `name` of `bucket`, lost after `seconds` without a sign of life."""

    def __init__(self, bucket: Bucket, name: str, seconds: float) -> None:
        self.bucket, self.name, self.seconds = bucket, name, seconds
        self.token = uuid.uuid4().hex
        self._seen: tuple[bytes | None, float] = (None, 0.0)
        self._released = threading.Event()
        self._heart: threading.Thread | None = None

    def acquire(self, timeout: float) -> None:
        """Take the lease; `filelock.Timeout` after `timeout` seconds, DiskError if the bucket does not answer."""
        until = time.monotonic() + timeout
        while True:
            claim = self.bucket.read(self.name)
            if claim is None:
                if self.bucket.create(self.name, self._claim(0)):
                    break
                claim = self.bucket.read(self.name)
            if self._is_ours(claim):  # the answer to our claim was lost, and the claim repeated
                break
            if claim is not None and self._is_stale(claim):
                if self.bucket.read(self.name) == claim:
                    self.bucket.remove(self.name)
            elif time.monotonic() > until:
                raise Timeout(self.name)
            else:
                time.sleep(min(POLL_S, self.seconds / 3))
        self._released.clear()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def release(self) -> None:
        """Give the lease back if still held; if the bucket does not answer, the lease expires by itself."""
        self._released.set()
        if self._heart is not None:
            self._heart.join()
        try:
            if self._is_ours(self.bucket.read(self.name)):
                self.bucket.remove(self.name)
        except DiskError as error:
            logging.getLogger(__name__).warning("%s; the lease %s expires by itself", error, self.name)

    def _claim(self, beat: int) -> bytes:
        return json.dumps({"token": self.token, "host": _host(), "pid": os.getpid(), "beat": beat}).encode()

    def _beat(self) -> None:
        """Rewrite the object until the lease is released, or another process has taken the lease over."""
        once = Bucket(self.bucket.url, patience=0.0)
        beat = 0
        while not self._released.wait(self.seconds / 3):
            beat += 1
            try:
                if not self._is_ours(once.read(self.name)):
                    return
                once.write(self.name, self._claim(beat))
            except DiskError as error:  # the next beat may come through
                logging.getLogger(__name__).warning("%s; the lease %s was not renewed", error, self.name)

    def _is_ours(self, claim: bytes | None) -> bool:
        return claim is not None and self.token.encode() in claim

    def _is_stale(self, claim: bytes) -> bool:
        now = time.monotonic()
        if claim != self._seen[0]:
            self._seen = claim, now
        with suppress(ValueError, KeyError, TypeError):
            holder = json.loads(claim)
            if holder["host"] == _host() and not lives(holder["pid"]):
                return True
        return now - self._seen[1] >= self.seconds


def _host() -> str:
    """Name the machine, or the container with process numbers of its own."""
    with suppress(OSError):
        return f"{socket.gethostname()} {uuid.getnode():x} {os.readlink('/proc/self/ns/pid')}"
    return f"{socket.gethostname()} {uuid.getnode():x}"


def lives(pid: int) -> bool:
    """Whether this machine, or this container, has a process numbered `pid`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process
        return True
    return True
