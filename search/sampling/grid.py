"""The sampler `grid`: every recipe of a space once, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from search.sampling.feasibility import Feasibility
from search.sampling.optuna_study import OptunaStudy
from search.sampling.suggest import Answer, Asked
from spaces import Space
from spaces.questions import given
from spaces.space import Value


class Grid:
    """Suggests the recipes of listed choices; Optuna learns of every trial, so that another sampler can go on."""

    def __init__(
        self,
        choices: Sequence[Mapping[str, Value]],
        optuna_study: OptunaStudy,
        space: Space,
        task: str,
        seed: int,
        feasibility: Feasibility,
        say: Callable[[str], None],
    ) -> None:
        self.choices, self.optuna_study, self.space, self.task, self.seed = choices, optuna_study, space, task, seed
        self.feasibility, self.say = feasibility, say
        self._at = 0
        self._outside = 0

    def next(self, known: Mapping[str, int]) -> Answer:
        """Suggest the next recipe not among the `known`, trials by recipe id; no recipe after the last."""
        while self._at < len(self.choices):
            choices = self.choices[self._at]
            recipe = self.space.build(given(choices), self.task, self.seed)
            over = {} if recipe.id in known else self.feasibility.over(recipe)
            if over is not None:  # known, impossible or out of bounds
                self._outside += bool(over)
                self._at += 1
                continue
            self.optuna_study.begin([choices])
            asked = self.optuna_study.ask()
            recipe = self.space.build(asked, self.task, self.seed)
            if recipe.id not in known:
                return Answer(Asked(recipe, self.space.settle(asked.params), asked.number))
            self.optuna_study.forget(asked.number)  # enqueued before a crash
        if self._outside:
            self.say(f"{self._outside} recipes of the grid would have no point within the bounds, and were not tried")
            self._outside = 0
        return Answer(None)
