"""Seconds by kind of work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Add up seconds in `spent`, by kind of work. Seconds of a nested block count for the inner kind alone."""

    spent: dict[str, float]
    _running: list[float] = field(default_factory=list)

    @contextmanager
    def __call__(self, kind: str) -> Iterator[None]:
        """Count the block's seconds under `kind`."""
        start = time.perf_counter()
        self._running.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.spent[kind] = self.spent.get(kind, 0.0) + took - self._running.pop()
            if self._running:
                self._running[-1] += took
