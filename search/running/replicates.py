"""Replicates: recipes to carry out again with another seed, and how far, until the wanted models have enough seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from compress.plan import plan
from compress.recipe import Recipe
from search.sampling.suggest import Asked
from search.study.endings import INTERRUPTED
from search.study.record import StudyRecord, TrialRecord
from search.study.seeds import Family, families, front_of

ENOUGH = "the rest of its curve was not wanted with this seed"
Wanted = Callable[[StudyRecord], Sequence[Family]]
"""Returns the models to have several seeds, given the study's record, the most important first."""


def on_front(record: StudyRecord) -> list[Family]:
    """Return the models on the front of the means."""
    return front_of(record.points, record.objectives)


def every_model(record: StudyRecord) -> list[Family]:
    """Return all models of the study."""
    return families(record.points)


class Replicates:
    """Gives every model `wanted` its `seeds` seeds, the study's own seed `first` included.

    With `whole` a trial with another seed comes to its end: the curve of a pruner that decides how far to cut may go on
    after the last model of the study's own seed.
    """

    def __init__(
        self, seeds: int, first: int, fingerprint: str, wanted: Wanted = on_front, *, whole: bool = False
    ) -> None:
        self.seeds, self.first, self.fingerprint, self.wanted, self.whole = seeds, first, fingerprint, wanted, whole
        self._same: dict[str, bool] = {}

    def is_ours(self, family: Family) -> bool:
        """Return whether the model's recipe would make the same model now, by this version and of this data."""
        own = family.points[0]
        if own.id not in self._same:
            made = plan(Recipe.from_json(own.recipe), self.fingerprint)
            self._same[own.id] = own.id in {step.key for step in made}
        return self._same[own.id]

    def families(self, form: Mapping[str, Any]) -> dict[str, str]:
        """Return, by the key of each point of a recipe, the same point's key with the study's own seed.

        {} for a recipe with the study's own seed.
        """
        if form["seed"] == self.first:
            return {}
        recipe = Recipe.from_json(form)
        own = plan(replace(recipe, seed=self.first), self.fingerprint)
        return {step.key: first.key for step, first in zip(plan(recipe, self.fingerprint), own, strict=True)}

    def due(self, record: StudyRecord, known: Mapping[str, int]) -> Asked | None:
        """Return the next recipe with another seed; `known` are the study's trials by recipe id.

        A trial goes on if it ended before the wanted point, and could have gone on.
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
        """Return whether a trial with another seed has made all wanted points, could make more, and need not."""
        told = record.trials[trial]
        if self.whole or told.recipe["seed"] == self.first or len(told.points) >= len(self.families(told.recipe)):
            return False
        recipe, made = {**told.recipe, "seed": self.first}, {point.family for point in told.points}
        firsts = [family.points[0] for family in self._lacking(record)]
        return not any(first.recipe == recipe and first.id not in made for first in firsts)

    def _lacking(self, record: StudyRecord) -> Iterator[Family]:
        """Yield the models that lack seeds.

        A model is left out if the trial of the study's own seed ended before its point.
        """
        for family in self.wanted(record) if self.seeds > 1 else ():
            if len(family.points) < self.seeds and not family.points[0].family and self.is_ours(family):
                yield family


def _goes_on(trial: TrialRecord, wanted: str) -> bool:
    ended = trial.status == "stopped" and trial.reason in (INTERRUPTED, ENOUGH)
    return ended and wanted not in {point.family for point in trial.points}
