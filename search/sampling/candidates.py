"""Candidates for the next recipe: drawn at random from a space, or good recipes with a single choice drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from compress.errors import RecipeError
from search.study.record import Choice
from spaces.questions import Asks, Question
from spaces.space import Trial


@dataclass
class Draw(Asks):
    """A trial that answers a space at random, or with the `given` value where the space allows the value."""

    chance: np.random.Generator
    given: Mapping[str, Choice] = field(default_factory=dict)
    params: dict[str, Choice] = field(default_factory=dict)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)

    def ask(self, name: str, question: Question) -> Any:
        """Return an answer, under one name always the first."""
        given = self.given.get(name)
        self.distributions[name] = distribution(question)
        if name in self.given and question.admits(given):
            drawn = float(given) if question.numeric and not question.whole else given  # type: ignore[arg-type]
        elif question.numeric:
            drawn = question.at(float(self.chance.random()))
        else:
            drawn = question.choices[int(self.chance.integers(len(question.choices)))]
        return self.params.setdefault(name, drawn)


def distribution(question: Question) -> BaseDistribution:
    """Return Optuna's distribution of the answers to a question."""
    if not question.numeric:
        return CategoricalDistribution(question.choices)
    if question.whole:
        return IntDistribution(int(question.low), int(question.high), question.log, int(question.step or 1))
    return FloatDistribution(question.low, question.high, question.log, question.step)


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
