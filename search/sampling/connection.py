"""The line to Optuna's database, which may be away for a while: what it misses it is told once it is back."""

from __future__ import annotations

import time
from collections.abc import Callable

from search.sampling.optuna_study import UNREACHABLE, why

PATIENCE_S = 600.0
"""So long a search goes on without Optuna's database."""
RETRY_S = 2.0
"""Between two attempts to reach it, each of which may hold the driver up: SQLite waits 5 s for a lock."""


class Connection:
    """`catch_up` tells the database of everything after an outage; `say` is told when one begins and ends."""

    def __init__(self, catch_up: Callable[[], None], say: Callable[[str], None]) -> None:
        self.catch_up, self.say = catch_up, say
        self._away_since: float | None = None
        self._retry_at = 0.0

    def tell(self, action: Callable[[], None]) -> None:
        """Carry out what only says what the ledger has already: nothing during an outage."""
        if self._away_since is None:
            self.reach(action)

    def reach(self, action: Callable[[], None]) -> bool:
        """Carry out what needs the database, which after an outage first hears of what it missed; or False.

        TimeoutError when it has been away for `PATIENCE_S` seconds.
        """
        now = time.monotonic()
        if self._away_since is not None and now < self._retry_at:
            return False
        try:
            if self._away_since is not None:
                self.catch_up()
                self._away_since = None
                self.say("Optuna's database is back, and has been told of everything")
            action()
        except UNREACHABLE as error:
            self._retry_at = time.monotonic() + RETRY_S
            if self._away_since is None:
                self._away_since = now
                self.say(f"Optuna's database does not answer ({why(error)}); what runs goes on meanwhile")
            elif now - self._away_since > PATIENCE_S:
                raise TimeoutError(
                    f"Optuna's database has not answered for {now - self._away_since:.0f} s ({why(error)})"
                ) from error
            return False
        return True

    def close(self) -> None:
        """One more attempt to tell it everything, at once."""
        self._retry_at = 0.0
        if not self.reach(lambda: None):
            self.say("Optuna's database has not heard of everything; --resume tells it the rest")
