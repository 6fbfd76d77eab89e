"""The connection to Optuna's database; results missed in an outage are written once the database answers again."""

from __future__ import annotations

import time
from collections.abc import Callable

from search.sampling.optuna_study import UNREACHABLE, why

PATIENCE_S = 600.0
"""Seconds a search goes on without Optuna's database."""
RETRY_S = 2.0
"""Seconds between attempts to reach the database. An attempt may delay the driver: SQLite waits 5 s for a lock."""


class Connection:
    """Runs actions on the database.

    `catch_up` writes all missed results after an outage. `say` shows a sentence when an outage begins and ends.
    """

    def __init__(self, catch_up: Callable[[], None], say: Callable[[str], None]) -> None:
        self.catch_up, self.say = catch_up, say
        self._away_since: float | None = None
        self._retry_at = 0.0

    def tell(self, action: Callable[[], None]) -> None:
        """Run an action that only repeats the ledger; during an outage the action is skipped."""
        if self._away_since is None:
            self.reach(action)

    def reach(self, action: Callable[[], None]) -> bool:
        """Run an action that needs the database; False if the database does not answer.

        After an outage `catch_up` runs first. TimeoutError after an outage of `PATIENCE_S` seconds.
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
        """Try once more, at once, to write all missed results."""
        self._retry_at = 0.0
        if not self.reach(lambda: None):
            self.say("Optuna's database has not heard of everything; --resume tells it the rest")
