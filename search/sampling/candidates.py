"""Candidates for the next recipe: drawn at random from a space, or good recipes with a single choice drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from compress.errors import RecipeError
from search.study.record import Choice
from spaces.space import Trial


@dataclass
class Draw:
    """A trial that answers a space at random, or with the `given` value where the space allows the value."""

    chance: np.random.Generator
    given: Mapping[str, Choice] = field(default_factory=dict)
    params: dict[str, Choice] = field(default_factory=dict)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return an element of `choices`."""
        fits = name in self.given and self.given[name] in choices
        drawn = self.given[name] if fits else choices[int(self.chance.integers(len(choices)))]
        return self._keep(name, drawn, CategoricalDistribution(tuple(choices)))

    def suggest_float(self, name: str, low: float, high: float) -> float:
        """Return a number in `[low, high]`."""
        given = self.given.get(name)
        fits = isinstance(given, int | float) and low <= given <= high
        return float(
            self._keep(name, given if fits else float(self.chance.uniform(low, high)), FloatDistribution(low, high))
        )

    def _keep(self, name: str, value: Any, known: BaseDistribution) -> Any:
        self.distributions[name] = known
        return self.params.setdefault(name, value)


class Named(Protocol):
    """A recipe; equal recipes have equal ids."""

    @property
    def id(self) -> str:
        """Hash of the recipe's content."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Choices, their distributions, and the recipe they make."""

    params: Mapping[str, Choice]
    distributions: Mapping[str, BaseDistribution]
    recipe: Named


def candidates(
    build: Callable[[Trial], Named],
    best: Sequence[Mapping[str, Choice]],
    chance: np.random.Generator,
    count: int,
) -> Iterator[Candidate]:
    """Yield the different recipes of `count` draws: half at random, half from `best` with a single choice drawn again.

    A draw that makes no recipe is left out.
    """
    seen: set[str] = set()
    for number in range(count):
        given: dict[str, Choice] = {}
        if best and number % 2:
            given = dict(best[int(chance.integers(len(best)))])
            given.pop(sorted(given)[int(chance.integers(len(given)))])
        draw = Draw(chance, given)
        try:
            recipe = build(draw)
        except RecipeError:
            continue
        if recipe.id not in seen:
            seen.add(recipe.id)
            yield Candidate(draw.params, draw.distributions, recipe)
