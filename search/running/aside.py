"""Choose the next recipes in a thread, while the driver's loop hears the workers.

A choice takes a quarter of a second and more. Workers whose trials end meanwhile would stand idle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial

from search.running.driver import Driver
from search.running.sources import Choosing, NewRecipes, Source
from search.sampling.suggest import Answer


class Aside:
    """A source whose answers another `source` gives in a thread, one at a time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._pool = ThreadPoolExecutor(1, "choice")
        self._choice: Future[Answer] | None = None

    @property
    def ahead(self) -> float:
        """Return the most trials that may lie in the driver's queue, as the source says."""
        return self.source.ahead

    def is_choosing(self) -> bool:
        """Return whether the thread is at work; until then nobody else may use the samplers."""
        return self._choice is not None and not self._choice.done()

    def next(self, known: Mapping[str, int]) -> Answer:
        """Return the answer found in the thread; Choosing until there is one, and NotNow as the source."""
        if self._choice is None:
            self._choice = self._pool.submit(self.source.next, dict(known))
        choice = self._choice
        if not choice.done():
            raise Choosing(lambda: wait([choice]))
        self._choice = None
        return choice.result()

    def close(self) -> Answer | None:
        """Wait for the choice in the making; return an answer nobody has taken, if any."""
        self._pool.shutdown()
        choice, self._choice = self._choice, None
        with suppress(Exception):  # whoever had taken the answer would have met its error
            return None if choice is None else choice.result()
        return None


@contextmanager
def choosing_aside(driver: Driver) -> Iterator[None]:
    """Let a driver's new recipes be chosen in a thread meanwhile."""
    before = driver.sources
    asides = [Aside(source) for source in before if isinstance(source, NewRecipes)]
    found = {aside.source: aside for aside in asides}
    driver.sources = [found.get(source, source) for source in before]
    driver.is_choosing = lambda: any(aside.is_choosing() for aside in asides)
    try:
        yield
    finally:
        for aside in asides:
            answer = aside.close()
            if answer is not None and answer.asked is not None and answer.asked.number is not None:
                driver.connection.tell(partial(driver.optuna_study.forget, answer.asked.number))
        driver.sources = before
        driver.is_choosing = lambda: False
        driver.inform()
