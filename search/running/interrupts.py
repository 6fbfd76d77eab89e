"""Signals that end a search: Ctrl-C, `kill`, a closed terminal. Signals in quick succession count as a single signal.

`timeout` sends its signal twice, to the search and to its process group; a person types Ctrl-C twice. A second signal
would break off the ending that the first began.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from search.running.stop_heard import notice

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
BURST_S = 1.0
"""Seconds after a signal in which further signals are passed over."""


class _Callback:
    """The handler of all three signals; `act` is the action on a signal, None for nothing."""

    def __init__(self, act: Callable[[int, FrameType | None], Any] | None) -> None:
        self.act = act

    last = float("-inf")
    """Time of the last signal, of all handlers, by the monotonic clock."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        again = now - _Callback.last < BURST_S
        _Callback.last = now
        if number == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        if self.act is not None and not again:
            notice(by_signal=True)
            self.act(signal.SIGINT, frame)


def _leave_terminal() -> None:
    """Redirect output to the null device if the terminal is closed: an error there would break off the ending."""
    for stream in (1, 2):
        try:
            os.tcgetpgrp(stream)
        except OSError as error:
            if error.errno == errno.EIO:
                nobody = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nobody, stream)
                os.close(nobody)


def listen(act: Callable[[int, FrameType | None], Any] | None = signal.default_int_handler) -> dict[int, Any]:
    """Make every signal do `act`, a `KeyboardInterrupt` if left out; return the handlers before.

    An ignored signal stays ignored: `nohup` and a shell's `&` ask for that. Python handles signals in its main thread
    only; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    ear = _Callback(act)
    return {number: signal.signal(number, ear) for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN}


@contextmanager
def listening(act: Callable[[int, FrameType | None], Any] | None = signal.default_int_handler) -> Iterator[None]:
    """Handle signals as `listen` does until the context ends."""
    before = listen(act)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
