"""Every recipe of a space once, in a fixed order: the last question asked changes first, as the digits of a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, repeat

from compress.errors import RecipeError
from spaces.questions import Question, Recorded
from spaces.restrict import Only
from spaces.space import Space, Value

MOST = 10_000
"""Recipes of a listing."""
MOST_TRIED = 50_000
"""Combinations looked at; a space may make the same recipe of many."""


@dataclass(frozen=True)
class Listing:
    """Choices that make every recipe of a space once, in order.

    `is_whole` is False if the space has more than `MOST` recipes. `errors` has a sentence for every combination without
    a recipe.
    """

    choices: tuple[Mapping[str, Value], ...]
    is_whole: bool = True
    errors: tuple[str, ...] = ()


def listing(space: Space, task: str, seed: int, only: Only) -> Listing:
    """List the recipes of a space restricted by `only`.

    RecipeError for a space without recipes, or with numbers neither restricted nor in steps.
    """
    found: dict[str, Mapping[str, Value]] = {}
    errors: list[str] = []
    for tried, (choices, made) in enumerate(_combinations(space, task, seed, only)):
        if isinstance(made, RecipeError):
            errors.append(str(made))
        else:
            found.setdefault(made, choices)
        if len(found) > MOST or tried > MOST_TRIED:
            return Listing(tuple(found.values())[:MOST], False, tuple(errors))
    if not found:
        raise RecipeError(f"grid: {space.name} must have a recipe, got none: {errors[0]}")
    return Listing(tuple(found.values()), True, tuple(errors))


def _combinations(
    space: Space, task: str, seed: int, only: Only
) -> Iterator[tuple[dict[str, Value], str | RecipeError]]:
    """Yield every combination of answers, with the id of its recipe or the reason for none."""
    places: tuple[int, ...] | None = ()
    while places is not None:
        trial = _Placed(places, only)
        made: str | RecipeError
        try:
            made = space.build(trial, task, seed).id
        except RecipeError as error:
            made = error
        if trial.unlisted:
            raise RecipeError(trial.unlisted)
        yield trial.answers, made
        places = _next(places, trial.counts)


class _Placed(Recorded):
    """A trial with the answers at `places` of its questions, in the order of asking; later questions at place 0."""

    def __init__(self, places: tuple[int, ...], only: Only) -> None:
        super().__init__(self._at_place)
        self.places, self.only = places, only
        self.counts: list[int] = []
        self.unlisted = ""

    def _at_place(self, name: str, question: Question) -> Value:
        if name in self.only:  # a restricted place on the curve is asked for as a number (`spaces/restrict.py`)
            question = Question(self.only[name])
        if not question.count:
            self.unlisted = f"grid: the values of {name} must be named, --only {name}=VALUE,VALUE, got {question}"
        place = self.places[len(self.counts)] if len(self.counts) < len(self.places) else 0
        self.counts.append(max(1, question.count))
        return question.value(place)


def _next(places: tuple[int, ...], counts: list[int]) -> tuple[int, ...] | None:
    """Return the next places, the last place first; None after the last combination."""
    whole = list(islice(chain(places, repeat(0)), len(counts)))
    for at in reversed(range(len(counts))):
        if whole[at] + 1 < counts[at]:
            return (*whole[:at], whole[at] + 1)
    return None
