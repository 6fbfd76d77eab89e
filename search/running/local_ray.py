"""Start a Ray of our own: few processes, out of reach of the terminal's signals, and two tries.

Ray's start waits for the imports of its Python processes: monitor of an autoscaler, dashboard, copier of logs, agent.
A search needs none but the agent, and of the agent only what an installation without `ray[default]` has.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import ray
import ray._private.node
import ray._private.services
import ray._private.utils
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

from compress.errors import shortened
from search.running.interrupts import listening

SPARED = ("start_monitor", "start_log_monitor", "start_api_server")
"""Methods of Ray's node that start a process without use here: autoscaler's monitor, copier of logs, dashboard."""
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
    """Give Ray's processes sessions of their own, and yield the processes; leave out those in `SPARED`.

    Ctrl-C and `timeout` then reach the driver alone, and the driver ends Ray. Ray's own handler of SIGTERM is left out:
    ours stays in place. The agent of the node is started as in an installation of Ray without a dashboard.
    """
    services, utils, node = ray._private.services, ray._private.utils, ray._private.node.Node
    theirs = services.ConsolePopen
    processes: list[subprocess.Popen[bytes]] = []

    def popen(*words: Any, **options: Any) -> subprocess.Popen[bytes]:
        processes.append(theirs(*words, **{**options, "start_new_session": True}))
        return processes[-1]

    with ExitStack() as held:
        held.enter_context(replaced(services, "ConsolePopen", popen))
        held.enter_context(replaced(utils, "set_sigterm_handler", _nothing))
        held.enter_context(replaced(utils, "get_dashboard_dependency_error", _no_dashboard))
        for name in SPARED:
            held.enter_context(replaced(node, name, _nothing))
        yield processes


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute meanwhile; an attribute that this version of Ray lacks is left alone."""
    before = getattr(owner, name, None)
    if before is None:
        yield
        return
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def _no_dashboard() -> ImportError:
    """Return why there is no dashboard, as Ray finds it in an installation without `ray[default]`."""
    return ImportError("a search needs no dashboard")


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
