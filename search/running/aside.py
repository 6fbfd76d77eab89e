"""Choose the next recipes in a thread, while the driver's loop hears the workers.

A choice takes a quarter of a second and more. Workers whose trials end meanwhile would stand idle.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial

from search.running.driver import Driver
from search.running.sources import Choosing, NewRecipes
from search.sampling.suggest import Answer

PATIENCE_S = 30.0
"""Seconds for the last choice at the end of a search; the samplers are left alone if the choice takes longer."""


class Aside:
    """A source whose answers another `source` gives in a thread, one at a time."""

    def __init__(self, source: NewRecipes) -> None:
        self.source = source
        self.choice: Future[Answer] | None = None

    @property
    def ahead(self) -> float:
        """Return the most trials that may lie in the driver's queue, as the source says."""
        return self.source.ahead

    def is_choosing(self) -> bool:
        """Return whether the thread is at work; until then nobody else may use the samplers."""
        return self.choice is not None and not self.choice.done()

    def next(self, known: Mapping[str, int]) -> Answer:
        """Return the answer found in the thread; Choosing until there is one, and NotNow as the source."""
        if self.choice is None:
            if self.source.left <= 0:
                return self.source.next(known)
            self.choice = Future()
            # a daemon: a process that is to end does not wait for a user's network that hangs
            threading.Thread(target=self._choose, args=(self.choice, dict(known)), name="choice", daemon=True).start()
        choice = self.choice
        if not choice.done():
            raise Choosing(choice)
        self.choice = None
        return choice.result()

    def _choose(self, choice: Future[Answer], known: Mapping[str, int]) -> None:
        try:
            choice.set_result(self.source.next(known))
        except BaseException as error:
            choice.set_exception(error)


@contextmanager
def choosing_aside(driver: Driver) -> Iterator[None]:
    """Let a driver's new recipes be chosen in a thread meanwhile; at the end Optuna forgets a recipe nobody took."""
    before = driver.sources
    driver.sources = [Aside(source) if isinstance(source, NewRecipes) else source for source in before]
    asides = [source for source in driver.sources if isinstance(source, Aside)]
    driver.is_choosing = lambda: any(aside.is_choosing() for aside in asides)
    try:
        yield
    finally:
        driver.sources = before
        last = [aside.choice for aside in asides if aside.choice is not None]
        wait(last, PATIENCE_S)
        if not driver.is_choosing():
            for choice in last:
                answer = None if choice.exception() else choice.result()
                if answer is not None and answer.asked is not None and answer.asked.number is not None:
                    forget = partial(driver.optuna_study.forget, answer.asked.number)
                    driver.guard(partial(driver.connection.tell, forget))
            driver.guard(driver.inform)
