"""A thread beside the driver: writes the state of the search into the study's folder, and hears requests of others.

Trials are stopped by the driver's own loop, which reads `Driver.requests`; the thread changes nothing of the driver.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from types import TracebackType

from search.running import activity
from search.running.driver import Driver
from search.study.driver_file import Doing, DriverFile, is_asked, read, remove, take_requests

PACE_S = 1.0
MOST = 64
"""Workers asked in one round; a search with more asks them in turns."""


class Presence:
    """A context in which the study of a driver is seen to run."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.folder = driver.study.folder
        self.started = time.time()
        self._over = threading.Event()
        self._known: dict[int, Doing] = {}
        self._turn = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name="presence", daemon=True)

    def __enter__(self) -> Presence:
        with suppress(OSError):
            told = read(self.folder)
            if told is None or told.pid != os.getpid():  # else requests are of the moments since the start
                take_requests(self.folder)
            self._file().write(self.folder)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=5 * PACE_S)
        remove(self.folder)
        activity.forget(self.driver.board)

    def _watch(self) -> None:
        while not self._over.wait(PACE_S):
            with suppress(Exception):  # a display is no reason to end a search
                self._hear()
                self._ask()
                self._file().write(self.folder)

    def _hear(self) -> None:
        """Pass requests on; whoever sees a request to stop the search taken reads in the file that it stops."""
        if is_asked(self.folder):
            self._stopping = True
            self._file().write(self.folder)
        heard = take_requests(self.folder)
        self._stopping |= None in heard
        self.driver.requests.extend(heard)

    def _ask(self) -> None:
        """Ask the next workers for their present work."""
        trials = tuple(self.driver.at_work)
        self._known = {trial: self._known.get(trial, Doing(trial)) for trial in trials}
        asked = [trials[(self._turn + place) % len(trials)] for place in range(min(MOST, len(trials)))]
        self._turn += len(asked)
        self._known |= {one.trial: one for one in activity.doing(self.driver.board, asked)}
        self.driver.doing = tuple(self._known[trial] for trial in trials)

    def _file(self) -> DriverFile:
        return DriverFile.here(
            started=self.started,
            trials=self.driver.trials,
            at_work=self.driver.doing,
            waiting=tuple(self.driver.queue),
            left_s=self.driver.left(),
            stopping=self._stopping,
        )
