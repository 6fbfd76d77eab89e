"""Sources of trials for the driver: unfinished trials, new recipes, and recipes again with other seeds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

from compress.recipe import Recipe
from search.running.replicates import Replicates
from search.sampling.auto import at_hand
from search.sampling.connection import Connection
from search.sampling.suggest import Answer, Asked
from search.study.study import Study

SET_ASIDE = 4
"""Trials that may wait for a model in the making; recipes asked for further ahead are chosen from fewer results."""


class NotNow(Exception):
    """Raised while nothing can be handed out yet: ask again."""


class Choosing(NotNow):
    """Raised while the next recipe is being chosen; `choice` is done once it is."""

    def __init__(self, choice: Future[Answer]) -> None:
        super().__init__()
        self.choice = choice


class Source(Protocol):
    """Gives trials."""

    @property
    def ahead(self) -> float:
        """Return the most trials that may lie in the driver's queue, the source's next included."""

    def next(self, known: Mapping[str, int]) -> Answer:
        """Return the next recipe, or no recipe; `known` are the study's trials by recipe id.

        NotNow while the source has to wait before an answer.
        """


class Resumed:
    """Running trials of the study without a worker: just begun, or resumed."""

    ahead = math.inf

    def __init__(self, study: Study) -> None:
        self.study = study
        self.trials = deque(trial for trial, state in study.trials.items() if state.status == "running")

    def next(self, known: Mapping[str, int]) -> Answer:
        """Return the trials in the order of their numbers, each once."""
        if not self.trials:
            return Answer(None)
        trial = self.trials.popleft()
        state = self.study.trials[trial]
        return Answer(Asked(Recipe.from_json(state.recipe), state.choices, state.optuna, trial))


class Suggests(Protocol):
    """Suggests new recipes: `Suggester`, or `Grid`."""

    def next(self, known: Mapping[str, int]) -> Answer:
        """Return a recipe not among the `known`, trials by recipe id; no recipe when none is left."""


class NewRecipes:
    """At most `left` recipes from the suggester; `connection` leads to Optuna's database.

    Without `early_stopping` no trial is given up. `running` returns the number of trials at work.
    """

    def __init__(
        self,
        suggester: Suggests,
        connection: Connection,
        left: float,
        *,
        early_stopping: bool = True,
        running: Callable[[], int] = lambda: 0,
    ) -> None:
        self.suggester, self.connection, self.left, self.early_stopping = suggester, connection, left, early_stopping
        self.running = running

    @property
    def ahead(self) -> float:
        """Return the most trials that may lie in the driver's queue: more where many workers stand ready for them."""
        return max(SET_ASIDE, 1 + at_hand(self.running()))

    def next(self, known: Mapping[str, int]) -> Answer:
        """Ask the suggester for a recipe; after its first answer without a recipe, ask no more.

        NotNow while Optuna's database does not answer, TimeoutError after a long outage (`connection.py`).
        """
        if self.left <= 0:
            return Answer(None)
        answers: list[Answer] = []
        if not self.connection.reach(lambda: answers.append(self.suggester.next(known))):
            raise NotNow
        (answer,) = answers
        self.left = 0 if answer.asked is None else self.left - 1
        return answer if self.early_stopping else Answer(answer.asked)


class OtherSeeds:
    """Recipes that lack seeds by `replicates`, looked for only when a worker is free."""

    ahead = 1

    def __init__(self, study: Study, replicates: Replicates) -> None:
        self.study, self.replicates = study, replicates

    def next(self, known: Mapping[str, int]) -> Answer:
        """Return the next recipe that lacks seeds; NotNow while a running trial may still change the choice."""
        asked = self.replicates.due(self.study.record, known)
        if asked is None and self.replicates.seeds > 1 and self._is_running():
            raise NotNow
        return Answer(asked)

    def _is_running(self) -> bool:
        return any(trial.status == "running" for trial in self.study.trials.values())
