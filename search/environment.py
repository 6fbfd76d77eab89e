"""The environment of a search: variables, proxies, temporary folders. Each is mended, or refused in a sentence.

A variable meant for another program must not redirect a search, and a long path must not end a search.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LOOPBACK = ("localhost", "127.0.0.1", "0.0.0.0", "::1", "[::1]")
"""Names of this machine in addresses; urllib compares with brackets, requests without."""
LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107
"""Greatest length of a socket's path, in bytes."""
SHORT = ("/tmp", "/var/tmp", "/dev/shm")
"""Folders for Ray's files where the user's own path is too long."""


@contextmanager
def variables(changed: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables, or remove those given as None, until the context ends."""
    before = {name: os.environ.get(name) for name in changed}
    _set(changed)
    try:
        yield
    finally:
        _set(before)


def _set(changed: Mapping[str, str | None]) -> None:
    for name, value in changed.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def of_own_ray(kept: Mapping[str, str], given: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """Return the changes of variables for a Ray of our own: variables of another Ray are removed, except `kept`.

    Variables in capitals name an address, a token, a hook or a job of the Ray to which this machine belongs. Variables
    in small letters, such as RAY_memory_usage_threshold, are settings of any Ray and stay. The token is set here, for
    Ray would write a token into the user's home, which may be missing or read-only.
    """
    capitals = {name for name in given if name.startswith(("RAY_", "__RAY_")) and name == name.upper()}
    foreign: dict[str, str | None] = dict.fromkeys(capitals - kept.keys())
    return {**foreign, "RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def spare_loopback() -> None:
    """Exclude local servers from the environment's proxies, for this process and its children."""
    proxies = {name.lower() for name, value in os.environ.items() if name.lower().endswith("_proxy") and value}
    if proxies - {"no_proxy"}:
        for name in ("no_proxy", "NO_PROXY"):  # curl's spelling and Java's: libraries read one or the other
            there = os.environ.get(name) or os.environ.get(name.swapcase()) or ""
            words = [word for word in there.replace(" ", "").split(",") if word]
            if "*" not in words:
                os.environ[name] = ",".join([*words, *(host for host in LOOPBACK if host not in words)])


class Terminal(io.FileIO):
    """Output to a terminal, dropped once the terminal is closed: a signal ends the work then, and no error."""

    def write(self, data: ReadableBuffer) -> int:
        """Write bytes; return their number."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return memoryview(data).nbytes


def steady_streams() -> None:
    """Print characters missing in the terminal's encoding as `?`; connect closed streams to the null device.

    Output to a terminal that is closed later is dropped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # a file opened later would get the number, and all printed text
            nobody = os.open(os.devnull, os.O_RDWR)
            if nobody != number:
                os.dup2(nobody, number)
                os.close(nobody)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
        elif number and stream.isatty():
            lasting = io.BufferedWriter(Terminal(number, "w", closefd=False))
            setattr(sys, name, io.TextIOWrapper(lasting, stream.encoding, "replace", line_buffering=True))
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def short_folder() -> Path:
    """Return a folder for Ray's files with a path short enough for Ray's sockets, if possible the temporary folder.

    ValueError without such a folder.
    """
    pid = os.getpid()
    below = f"/paretune-{pid}-12345678/ray/session_2026-01-01_00-00-00_000000_{pid}/sockets/plasma_store"
    room = LONGEST_SOCKET - len(below)
    wanted = [_temporary(), os.environ.get("XDG_RUNTIME_DIR") or "", *SHORT]
    for folder in wanted:
        if 0 < len(os.fsencode(folder)) <= room and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise ValueError(
        f"TMPDIR must name a folder that can be written to, of at most {room} characters, got {wanted[0] or 'none'!r}, "
        f"and {', '.join(SHORT)} cannot be written to"
    )


def _temporary() -> str:
    """Return Python's folder for temporary files; "" where no folder can be written, not even the current one."""
    try:
        return os.path.abspath(tempfile.gettempdir())
    except FileNotFoundError:
        return ""
