"""A thread for work on the newest posted item, one at a time; posting never waits."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Outcome(NamedTuple):
    """Result of a call: whether the item is done or must be tried again, and the seconds until the next call."""

    done: bool
    pause_s: float


class Latest(Generic[T]):
    """Calls `work(item, last)` in a daemon thread; an item posted during the call replaces the waiting item.

    Neither `work` nor `prepare` may raise; the thread calls `prepare` first unless closed at once. `last` is true only
    in the call caused by `finish`.
    """

    def __init__(self, work: Callable[[T, bool], Outcome], prepare: Callable[[], None] = lambda: None) -> None:
        self._work, self._prepare = work, prepare
        self._changed = threading.Condition()
        self._item: T | None = None
        self._due = math.inf
        self._earliest = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="paretune-mirror", daemon=True)

    def start(self) -> None:
        """Start the thread; further calls do nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def post(self, item: T) -> None:
        """Post the newest item; return at once. Items posted after `finish` are dropped."""
        with self._changed:
            self._item = item
            self._due = self._earliest
            self._changed.notify()

    def finish(self) -> None:
        """Work on the newest item once more and end the thread; return at once."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.start()

    def close(self, timeout: float | None) -> bool:
        """Finish; return whether the thread ended within `timeout` seconds; None waits for ever."""
        self.finish()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        if not self._closing:
            self._prepare()
        while (item := self._next()) is not None:
            outcome = self._work(item, False)
            with self._changed:
                self._earliest = time.monotonic() + outcome.pause_s
                if self._item is not item or not outcome.done:
                    self._due = self._earliest
        if self._item is not None:
            self._work(self._item, True)

    def _next(self) -> T | None:
        with self._changed:
            while not self._closing:
                wait = self._due - time.monotonic()
                if wait <= 0:
                    self._due = math.inf
                    return self._item
                self._changed.wait(None if math.isinf(wait) else wait)
            return None
