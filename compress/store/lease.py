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

from filelock import Timeout

from compress.errors import DiskError
from compress.store.objects import Bucket

POLL_S = 0.5


class Lease:
    """On the object `name` of `bucket`, for so many `seconds` at a time."""

    def __init__(self, bucket: Bucket, name: str, seconds: float) -> None:
        self.bucket, self.name, self.seconds = bucket, name, seconds
        self.token = uuid.uuid4().hex
        self._seen: tuple[bytes | None, float] = (None, 0.0)
        self._released = threading.Event()
        self._heart: threading.Thread | None = None

    def acquire(self, timeout: float) -> None:
        """`filelock.Timeout` after so many seconds; DiskError when the bucket does not answer."""
        until = time.monotonic() + timeout
        while True:
            held = self.bucket.read(self.name)
            if held is None:
                if self.bucket.create(self.name, self._claim(0)):
                    break
                held = self.bucket.read(self.name)
            if self._is_ours(held):  # the answer to our claim was lost, and it was made twice
                break
            if held is not None and self._is_stale(held):
                if self.bucket.read(self.name) == held:
                    self.bucket.remove(self.name)
            elif time.monotonic() > until:
                raise Timeout(self.name)
            else:
                time.sleep(min(POLL_S, self.seconds / 3))
        self._released.clear()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def release(self) -> None:
        """If it is still ours; one that cannot be given back expires."""
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
        """Until it is released, or another has taken it over."""
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

    def _is_ours(self, held: bytes | None) -> bool:
        return held is not None and self.token.encode() in held

    def _is_stale(self, held: bytes) -> bool:
        now = time.monotonic()
        if held != self._seen[0]:
            self._seen = held, now
        with suppress(ValueError, KeyError, TypeError):
            who = json.loads(held)
            if who["host"] == _host() and not lives(who["pid"]):
                return True
        return now - self._seen[1] >= self.seconds


def _host() -> str:
    """Of processes with numbers of their own: a machine, or a container on it."""
    with suppress(OSError):
        return f"{socket.gethostname()} {uuid.getnode():x} {os.readlink('/proc/self/ns/pid')}"
    return f"{socket.gethostname()} {uuid.getnode():x}"


def lives(pid: int) -> bool:
    """Whether there is a process of that number here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
