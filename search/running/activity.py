"""The present work of workers: workers write a few words into Ray's own key-value store, and the driver reads them.

Displays alone depend on the words: a store without an answer leaves them out. In the other direction the driver writes
the trials to stop. A worker looks every few seconds, in a thread of its own, so training never waits.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict

from search.study.driver_file import Doing

NAMESPACE = b"paretune"
PACE_S = 2.0
"""Seconds between two words of a worker."""


class Stopped(Exception):
    """Raised in a worker's training after a request to stop its trial."""


def _key(board: str, kind: str, trial: int | str = "") -> bytes:
    return f"{board}:{kind}:{trial}".encode()


def doing(board: str, trials: Iterable[int]) -> list[Doing]:
    """Return the present work of the workers of trials, in order; without a word of a worker, the trial alone."""
    from ray.experimental import internal_kv

    found = []
    for trial in trials:
        said = None
        with suppress(Exception):
            said = internal_kv._internal_kv_get(_key(board, "doing", trial), namespace=NAMESPACE)
        found.append(Doing(**json.loads(said)) if said else Doing(trial))
    return found


def ask_to_stop(board: str, trial: int) -> None:
    """Ask the worker of a trial to stop."""
    from ray.experimental import internal_kv

    with suppress(Exception):
        internal_kv._internal_kv_put(_key(board, "stop", trial), b"1", namespace=NAMESPACE)


def forget(board: str) -> None:
    """Remove all words of a search."""
    from ray.experimental import internal_kv

    with suppress(Exception):
        internal_kv._internal_kv_del(f"{board}:".encode(), del_by_prefix=True, namespace=NAMESPACE)


class Telling:
    """A worker's side: called with progress, raises Stopped in the training after a request.

    `begin` takes the board of a search and a trial; with the board "" nobody listens.
    """

    def __init__(self) -> None:
        self.board, self.trial = "", 0
        self.what, self.of, self.done = "", 0, 0.0
        self.first, self.since = 0.0, 0.0
        self.is_stopped = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, board: str, trial: int) -> None:
        """Take the next trial."""
        with self._lock:
            self.board, self.trial, self.is_stopped = board, trial, False
            self.what, self.of, self.done = "", 0, 0.0
        if board and self._thread is None:
            self._thread = threading.Thread(target=self._tell, name="telling", daemon=True)
            self._thread.start()

    def __call__(self, what: str, done: float, of: int) -> None:
        """Take progress: `done` of `of` epochs of a training, fractions included, 0 of 0 of anything else."""
        if (what, of) != (self.what, self.of) or done < self.done:
            self.first, self.since = done, time.monotonic()
            self.what, self.of = what, of
        self.done = done
        if self.is_stopped:
            raise Stopped

    def doing(self) -> Doing:
        """Return the present work of this worker."""
        passed, left = self.done - self.first, None
        if self.of and passed > 0:
            left = (time.monotonic() - self.since) / passed * max(0.0, self.of - self.done)
        return Doing(
            self.trial, self.what, round(self.done, 3), self.of, left, socket.gethostname(), os.getpid(), time.time()
        )

    def _tell(self) -> None:
        from ray.experimental import internal_kv

        last = None
        while True:
            time.sleep(PACE_S if last else PACE_S / 4)
            with suppress(Exception):
                board, trial, now = self.board, self.trial, self.doing()
                if not board or not internal_kv._internal_kv_initialized():  # type: ignore[no-untyped-call]
                    continue
                if (trial, now.what, now.done) != last:
                    said = json.dumps(asdict(now))
                    internal_kv._internal_kv_put(_key(board, "doing", trial), said, namespace=NAMESPACE)
                    last = trial, now.what, now.done
                asked = internal_kv._internal_kv_get(_key(board, "stop", trial), namespace=NAMESPACE)
                with self._lock:
                    self.is_stopped |= bool(asked) and (board, trial) == (self.board, self.trial)
