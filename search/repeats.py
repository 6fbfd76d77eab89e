"""Which recipes are to be carried out again with another seed: those of the front, until its every point has enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from compress.plan import plan
from compress.recipe import Recipe
from compress.stage import Quantize
from search.record import Choice, StudyRecord
from search.seeds import front_of


class Repeats:
    """For a study whose own seed is `first`; `seeds` in all are wanted of each point of the front, `first` one of them.

    Tell it by `add` of every recipe that is carried out.
    """

    def __init__(self, seeds: int, first: int, fingerprint: str, recipes: Iterable[Recipe] = ()) -> None:
        self.seeds, self.first, self.fingerprint = seeds, first, fingerprint
        self._tried: set[tuple[str, int]] = set()
        self.originals = 0
        for recipe in recipes:
            self.add(recipe)

    def add(self, recipe: Recipe) -> None:
        """It is carried out, or was."""
        self._tried.add((self._original(recipe).id, recipe.seed))
        self.originals += recipe.seed == self.first

    def families(self, form: Mapping[str, Any]) -> dict[str, str]:
        """By the keys of a recipe's points those of the same models with the study's own seed; {} if that is its."""
        if form["seed"] == self.first:
            return {}
        recipe = Recipe.from_json(form)
        pairs = zip(plan(recipe, self.fingerprint), plan(self._original(recipe), self.fingerprint), strict=True)
        return {step.key: own.key for step, own in pairs}

    def due(self, record: StudyRecord) -> tuple[Recipe, dict[str, Choice]] | None:
        """The next one, and what to call its choices. A point that no cut has made needs only the first stage again."""
        if self.seeds == 1:
            return None
        for family in front_of(record.points, record.objectives):
            if len(family.points) >= self.seeds:
                continue
            whole = self._original(Recipe.from_json(family.points[0].recipe))
            choices = dict(record.trials[family.points[0].trial].choices)
            bits = tuple(stage for stage in whole.stages[1:] if isinstance(stage, Quantize))
            uncut = replace(whole, stages=(whole.stages[0], *bits))
            if family.points[0].id in {step.key for step in plan(uncut, self.fingerprint)}:
                whole, choices = uncut, {"student": str(whole.student)}
            for seed in range(self.first + 1, self.first + self.seeds):
                if (whole.id, seed) not in self._tried:
                    return replace(whole, seed=seed), {**choices, "seed": seed}
        return None

    def _original(self, recipe: Recipe) -> Recipe:
        return replace(recipe, seed=self.first)
