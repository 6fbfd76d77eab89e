"""Which recipes are to be carried out again with another seed, and how far, until what is wanted has enough seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from compress.plan import plan
from compress.recipe import Recipe
from search.sampling.suggest import Asked
from search.study.record import StudyRecord, TrialRecord
from search.study.seeds import Family, front_of
from search.study.study import INTERRUPTED

ENOUGH = "the rest of its curve was not wanted with this seed"
Wanted = Callable[[StudyRecord], Sequence[Family]]
"""The models that are to have several seeds, as the study stands, what matters most first."""


def on_front(record: StudyRecord) -> list[Family]:
    """Those of the front of the means."""
    return front_of(record.points, record.objectives)


class Replicates:
    """For a study whose own seed is `first`; `seeds` in all are asked of what is `wanted`, `first` one of them."""

    def __init__(self, seeds: int, first: int, fingerprint: str, wanted: Wanted = on_front) -> None:
        self.seeds, self.first, self.fingerprint, self.wanted = seeds, first, fingerprint, wanted
        self._same: dict[str, bool] = {}

    def is_ours(self, family: Family) -> bool:
        """Whether its recipe would give the same model here and now, not that of an older version or of other data."""
        own = family.points[0]
        if own.id not in self._same:
            made = plan(Recipe.from_json(own.recipe), self.fingerprint)
            self._same[own.id] = own.id in {step.key for step in made}
        return self._same[own.id]

    def families(self, form: Mapping[str, Any]) -> dict[str, str]:
        """By the keys of a recipe's points those of the same models with the study's own seed; {} if that is its."""
        if form["seed"] == self.first:
            return {}
        recipe = Recipe.from_json(form)
        own = plan(replace(recipe, seed=self.first), self.fingerprint)
        return {step.key: first.key for step, first in zip(plan(recipe, self.fingerprint), own, strict=True)}

    def due(self, record: StudyRecord, known: Mapping[str, int]) -> Asked | None:
        """The next recipe with another seed; `known` are the study's trials by the ids of their recipes.

        A trial goes on if it ended before it came to the point that is wanted, and could have gone on.
        """
        for family in self._lacking(record):
            own = family.points[0]
            choices = record.trials[own.trial].choices or {"student": str(Recipe.from_json(own.recipe).student)}
            for seed in range(self.first + 1, self.first + self.seeds):
                again = Recipe.from_json({**own.recipe, "seed": seed})
                trial = known.get(again.id)
                if trial is None or _goes_on(record.trials[trial], own.id):
                    return Asked(again, {**choices, "seed": seed}, None, trial)
        return None

    def is_enough(self, record: StudyRecord, trial: int) -> bool:
        """Whether a trial has made all that is wanted of its recipe with its seed, and there is more that it could."""
        told = record.trials[trial]
        if told.recipe["seed"] == self.first or len(told.points) >= len(self.families(told.recipe)):
            return False
        recipe, made = {**told.recipe, "seed": self.first}, {point.family for point in told.points}
        firsts = [family.points[0] for family in self._lacking(record)]
        return not any(first.recipe == recipe and first.id not in made for first in firsts)

    def _lacking(self, record: StudyRecord) -> Iterator[Family]:
        """Those that are to be made again; a model that only another seed's trial came to, its own having ended before,
        is not.
        """
        for family in self.wanted(record) if self.seeds > 1 else ():
            if len(family.points) < self.seeds and not family.points[0].family and self.is_ours(family):
                yield family


def _goes_on(trial: TrialRecord, wanted: str) -> bool:
    ended = trial.status == "stopped" and trial.reason in (INTERRUPTED, ENOUGH)
    return ended and wanted not in {point.family for point in trial.points}
