"""Start a Ray of our own: processes out of reach of the terminal's signals, and a second try after a failed start."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray
import ray._private.services
import ray._private.utils
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

from compress.errors import shortened
from search.running.interrupts import listening

TRIES = 2
"""Tries of a start: Ray gives its processes 30 s, and a busy machine or a cold disk may need more the first time."""


def start(**options: Any) -> None:
    """Call `ray.init` with the options. RuntimeError, in one sentence, when Ray does not come up in two tries.

    After KeyboardInterrupt nothing is left running.
    """
    reasons: list[str] = []
    AuthenticationTokenLoader.instance().reset_cache()  # another Ray of this process had another token
    for _ in range(TRIES):
        with _apart() as processes:
            try:
                ray.init(**options)
                return
            except (Exception, SystemExit) as error:
                _clear(processes)
                reasons.append(_said(error))
                if len(reasons) < TRIES:
                    logging.getLogger(__name__).warning("note: Ray did not come up (%s); once more", reasons[-1])
            except KeyboardInterrupt:
                _clear(processes)
                raise
    raise RuntimeError(
        f"search: Ray must come up on this machine, it did not in {TRIES} tries: {reasons[-1]}; nothing was started. "
        "Try again when the machine is less busy, and see that it has free memory, ports and room in /tmp and /dev/shm"
    )


@contextmanager
def _apart() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Give Ray's processes sessions of their own, and yield the processes.

    Ctrl-C and `timeout` then reach the driver alone, and the driver ends Ray. Ray's own handler of SIGTERM is left out:
    ours stays in place.
    """
    services, utils = ray._private.services, ray._private.utils
    theirs, handler = services.ConsolePopen, utils.set_sigterm_handler
    processes: list[subprocess.Popen[bytes]] = []

    def popen(*words: Any, **options: Any) -> subprocess.Popen[bytes]:
        processes.append(theirs(*words, **{**options, "start_new_session": True}))
        return processes[-1]

    services.ConsolePopen, utils.set_sigterm_handler = popen, _no_handler  # type: ignore[misc, assignment]
    try:
        yield processes
    finally:
        services.ConsolePopen, utils.set_sigterm_handler = theirs, handler  # type: ignore[misc]


def _no_handler(handler: Callable[..., object]) -> None:
    """Set nothing."""


def _clear(processes: list[subprocess.Popen[bytes]]) -> None:
    """End the processes of a failed start."""
    with listening(None):
        with suppress(Exception, SystemExit):
            ray.shutdown()
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _said(error: BaseException) -> str:
    """Return the first line of Ray's message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {shortened(lines[0])}" if lines else type(error).__name__
