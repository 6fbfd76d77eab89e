"""Seconds by what they went into."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Adds up seconds in `spent`. What runs inside another clock is counted there alone."""

    spent: dict[str, float]
    _running: list[float] = field(default_factory=list)

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Count the block under `what`."""
        start = time.perf_counter()
        self._running.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.spent[what] = self.spent.get(what, 0.0) + took - self._running.pop()
            if self._running:
                self._running[-1] += took
