"""A running search as other processes see it: the file of its driver, and requests to stop, in the study's folder.

The driver writes `driver.json` every few seconds and removes the file at its end. The file of a killed driver is told
by its age, and on the driver's own machine by the process. A request is an empty file. The driver removes the file once
the request is heard. Everybody who may write to the home may ask.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE, REQUESTS = "driver.json", "requests"
SILENT_S = 60.0
"""Seconds without a word after which a driver on another machine counts as dead."""
_STOP = re.compile(r"stop(?:-(\d{1,9}))?")


@dataclass(frozen=True)
class Doing:
    """A trial handed out, and its worker's present work: `done` of `of` epochs, `left_s` seconds of the training.

    `what` is "" while no worker has begun. `node` and `pid` name the worker. `at` is the time of the worker's word.
    """

    trial: int
    what: str = ""
    done: float = 0.0
    of: int = 0
    left_s: float | None = None
    node: str = ""
    pid: int = 0
    at: float = 0.0

    @property
    def rest_s(self) -> float:
        """Return the seconds left of the training as of now, 0 if unknown."""
        return max(0.0, (self.left_s or 0.0) - max(0.0, time.time() - self.at)) if self.at else self.left_s or 0.0

    @property
    def words(self) -> str:
        """Return a few words for people."""
        if not self.what:
            return "waits for a worker"
        parts = [self.what]
        if self.of:
            parts.append(f"epoch {min(self.of, int(self.done) + 1)} of {self.of}")
        if self.left_s is not None:
            parts.append(f"{duration(self.rest_s)} left")
        return ", ".join(parts)


@dataclass(frozen=True)
class DriverFile:
    """The driver of a study: who runs it where, since when, heard last when, and its trials.

    `starting` is true until there are trials, `stopping` once a request to stop the search was heard. `started` and
    `heard` are seconds since 1970. `waiting` are trials for which a model is in the making. `left_s` are the seconds
    expected to the end, None if unknown.
    """

    pid: int
    begun: str
    host: str
    user: str
    started: float
    heard: float
    trials: int = 0
    at_work: tuple[Doing, ...] = ()
    waiting: tuple[int, ...] = ()
    left_s: float | None = None
    starting: bool = False
    stopping: bool = False

    @classmethod
    def here(cls, **known: Any) -> DriverFile:
        """Return the file of this process."""
        return cls(os.getpid(), _begun(os.getpid()), socket.gethostname(), _user(), heard=time.time(), **known)

    def write(self, folder: Path) -> None:
        """Write the file; OSError if the disk refuses."""
        partial = folder / f"{FILE}.{self.pid}.{threading.get_ident()}"
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        partial.replace(folder / FILE)

    @property
    def idle(self) -> tuple[int, ...]:
        """Return the trials that wait, for a worker or for a model in the making."""
        return (*(one.trial for one in self.at_work if not one.what), *self.waiting)

    @property
    def is_mine(self) -> bool:
        """Return whether the driver is this process."""
        return self.host == socket.gethostname() and self.pid == os.getpid()

    @property
    def is_alive(self) -> bool:
        """Return whether the driver lives, by the process on this machine, elsewhere by the driver's last word."""
        if self.host == socket.gethostname():
            return _lives(self.pid) and _begun(self.pid) in (self.begun, "")
        return time.time() - self.heard < SILENT_S


def read(folder: Path) -> DriverFile | None:
    """Return the file of a study's folder; None without a file, or with one of another version."""
    try:
        found: Mapping[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        doing = tuple(Doing(**one) for one in found["at_work"])
        return DriverFile(**{**found, "at_work": doing, "waiting": tuple(found["waiting"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remove(folder: Path) -> None:
    """Remove the file and all requests."""
    for path in (folder / FILE, *_requests(folder)):
        with suppress(OSError):
            path.unlink()
    with suppress(OSError):
        (folder / REQUESTS).rmdir()


@contextmanager
def shown_starting(folder: Path) -> Iterator[None]:
    """Show other processes that a driver starts: settings are checked, Ray comes up, there are no trials yet."""
    remove(folder)
    started, over = time.time(), threading.Event()

    def tell() -> None:
        with suppress(OSError):
            DriverFile.here(started=started, starting=True).write(folder)

    def tell_again() -> None:
        while not over.wait(SILENT_S / 6):
            told = read(folder)
            if told is None or not told.starting:  # trials are at work, and the file is another's
                return
            tell()

    tell()
    threading.Thread(target=tell_again, name="starting", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        remove(folder)


def ask_to_stop(folder: Path, trial: int | None = None) -> None:
    """Ask the driver to stop a trial, or the search; OSError if the disk refuses."""
    (folder / REQUESTS).mkdir(exist_ok=True)
    (folder / REQUESTS / ("stop" if trial is None else f"stop-{trial}")).touch()


def take_requests(folder: Path) -> list[int | None]:
    """Return what is asked for, a trial's number or None for the whole search, and remove the requests."""
    found: list[int | None] = []
    for path in _requests(folder):
        with suppress(OSError):
            path.unlink()
            if match := _STOP.fullmatch(path.name):
                found.append(int(match[1]) if match[1] else None)
    return found


def is_asked(folder: Path, trial: int | None = None) -> bool:
    """Return whether a request was not heard yet."""
    return (folder / REQUESTS / ("stop" if trial is None else f"stop-{trial}")).exists()


def _requests(folder: Path) -> Iterable[Path]:
    with suppress(OSError):
        return sorted((folder / REQUESTS).iterdir())
    return []


def duration(seconds: float) -> str:
    """Return seconds in words: `40 s`, `2 min 05 s`, `3 h 10 min`, `2 days 4 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    return f"{seconds // 86400:.0f} days {seconds % 86400 // 3600:.0f} h"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _begun(pid: int) -> str:
    """Return the start of a process in the kernel's ticks, "" if unknown: ids of dead processes are given again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
