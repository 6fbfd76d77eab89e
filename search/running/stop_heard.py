"""Whether a search that was carried out here was stopped, by `paretune stop` or a signal: its caller may ask.

A search stopped so returns its study as any other. The command alone ends with another exit code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class StopHeard:
    """Whether a search within the context was stopped by a request, and whether a signal came."""

    is_heard: bool = False
    is_signal: bool = False


_ASKED: ContextVar[StopHeard | None] = ContextVar("stop heard", default=None)


@contextmanager
def noticing() -> Iterator[StopHeard]:
    """A context whose value tells, at its end, whether a search of the context was stopped."""
    found = StopHeard()
    before = _ASKED.set(found)
    try:
        yield found
    finally:
        _ASKED.reset(before)


def notice(*, by_signal: bool = False) -> None:
    """Tell the context, if any, that its search was stopped by a request, or that a signal came."""
    found = _ASKED.get()
    if found is not None:
        found.is_heard |= not by_signal
        found.is_signal |= by_signal
