"""Check once, before any training, whether a recipe can be carried out and is within the bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from typing import Any

from compress.costs import check, check_targets, cut_to, deepest, depth
from compress.data.tasks import Task
from compress.errors import RecipeError, said
from compress.figures import LATENCY
from compress.latency.latency_model import LatencyModel
from compress.recipe import Recipe
from search.sampling.bounds import Bounds
from search.study.events import check_named


class Feasibility:
    """Judges the recipes of a search; `say` shows a note on each impossible recipe.

    A recipe may name only those functions of the user's own that the study's `header` names, any without a header.
    `latency` foresees what a bound on latency is held against.
    """

    def __init__(
        self,
        task: Task,
        bounds: Bounds,
        say: Callable[[str], None],
        header: Mapping[str, Any] | None = None,
        latency: LatencyModel | None = None,
    ) -> None:
        self.task, self.bounds, self.say, self.header = task, bounds, say, header
        self.latency = latency if LATENCY in bounds.most else None
        self._refused: dict[str, dict[str, float]] = {}
        self._possible: dict[str, float] = {}
        self._deepest = 0.0

    @property
    def refused(self) -> Set[str]:
        """Return the ids of the recipes found impossible or out of bounds."""
        return self._refused.keys()

    def over(self, recipe: Recipe) -> dict[str, float] | None:
        """Return the share by which each bound is exceeded.

        None for a recipe to carry out, {} for an impossible recipe.
        """
        if recipe.id in self._refused:
            return self._refused[recipe.id]
        over: dict[str, float] = {}
        try:
            self._look_at(recipe)
            if self.bounds.most:
                over = self.bounds.over(deepest(recipe, self.task, self.latency))
        except Exception as error:  # RecipeError, or any error of a user's own network
            self._refused[recipe.id] = {}
            ours = isinstance(error, RecipeError)
            self.say(f"a recipe was not tried: {error if ours else f'{recipe.student} failed ({said(error)})'}")
            return {}
        if over:
            self._refused[recipe.id] = over
        return over or None

    def _look_at(self, recipe: Recipe) -> None:
        """Raise as `check` does. A recipe passes unchecked if a deeper cut of the same network was possible."""
        if self.header:
            try:
                check_named({"event": "asked", "recipe": recipe.as_json()}, self.header)
            except ValueError as error:
                raise RecipeError(str(error)) from error
        check_targets(recipe, self.task)
        bones, deep = depth(recipe)
        self._deepest = max(self._deepest, deep or 0.0)
        if deep is not None and deep < self._deepest and bones not in self._possible:
            with suppress(Exception):
                check(cut_to(recipe, self._deepest), self.task)
                self._possible[bones] = self._deepest
        if (deep or 0.0) > self._possible.get(bones, -1.0):
            check(recipe, self.task)
            self._possible[bones] = deep or 0.0
