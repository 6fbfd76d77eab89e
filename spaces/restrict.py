"""A space with some of its choices restricted to given values, `--only NAME=VALUE,VALUE`.

The space is shown a trial that asks the trial of the search among the values allowed. So every sampler, the grid and
the first recipes see the restricted space, and a space need not know of restrictions.

`sparsity` and `int8` are asked among all their values: every point of a curve is told to the sampler under its own
sparsity and variant (`spaces.space.place`), whatever was allowed. Their answers are moved to allowed values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

from compress.errors import RecipeError
from compress.recipe import Recipe
from spaces.probe import Probe, makes, probe
from spaces.questions import Asks, Question
from spaces.space import PLACED, Space, Trial, Value

Only = Mapping[str, tuple[Value, ...]]
"""The values allowed, by the name of the choice."""


def restricted(space: Space, only: Only, task: str, seed: int) -> Space:
    """Return the space with the choices `only` restricted; beginnings with other values are left out.

    RecipeError if no recipe is left, or a restricted choice is never asked for.
    """
    if not only:
        return space
    known = probe(space, task, seed).questions
    build = partial(_build, space, only)
    narrow = replace(space, build=build, beginnings=(), settle=partial(_settled, only, known))
    found = probe(narrow, task, seed)
    words = " ".join(f"--only {name}={','.join(map(str, values))}" for name, values in only.items())
    if not found.recipes:
        why = f": {found.errors[0]}" if found.errors else ""
        raise RecipeError(f"only: a recipe of {space.name} must be left, got none with {words}{why}")
    for name in only:
        if name not in found.questions:
            raise RecipeError(f"only: {name} must be asked for beside the other choices, got {words}; leave it out")
    check_left(only, found)
    kept = tuple(one for one in space.beginnings if makes(narrow, task, seed, one))
    return replace(narrow, beginnings=kept)


def check_left(only: Only, found: Probe) -> None:
    """Raise RecipeError for a restricted choice none of whose values is in a recipe; the others would be searched."""
    for name, values in only.items():
        if name not in found.answered:
            got = ",".join(map(str, values))
            why = f": {found.refused[name]}" if name in found.refused else ""
            raise RecipeError(f"only: {name} must keep a value that makes a recipe, got {got}{why}")


def _build(space: Space, only: Only, trial: Trial, task: str, seed: int) -> Recipe:
    return space.build(_Narrowed(trial, only), task, seed)


class _Narrowed(Asks):
    """A trial that asks another trial, and answers with values allowed alone."""

    def __init__(self, trial: Trial, only: Only) -> None:
        self.trial, self.only = trial, only

    def ask(self, name: str, question: Question) -> Value:
        """Ask the other trial among the values allowed."""
        allowed = self.only.get(name)
        if allowed is None or name in PLACED:
            return _moved(allowed, question, question.put_to(self.trial, name))
        return Question(allowed).put_to(self.trial, name)  # type: ignore[no-any-return]


def _moved(allowed: tuple[Value, ...] | None, question: Question, answer: Value) -> Value:
    """Return an allowed value: the answer itself, else the value at the answer's place in the question's range.

    Every value has the same share of the range, so that a random answer falls on each as often.
    """
    if allowed is None or answer in allowed:
        return answer
    if question.numeric:
        assert isinstance(answer, int | float)
        share = (answer - question.low) / max(question.high - question.low, 1e-12)
        allowed = tuple(sorted(allowed, key=lambda value: float(value or 0)))
    else:
        share = question.choices.index(answer) / len(question.choices)
    return allowed[min(int(share * len(allowed)), len(allowed) - 1)]


def _settled(only: Only, known: Mapping[str, Question], choices: Mapping[str, Value]) -> dict[str, Value]:
    """Return the choices as the space took them."""
    return {name: _moved(only.get(name), known[name], v) if name in PLACED else v for name, v in choices.items()}


def read_only(asked: Mapping[str, object], found: Probe, space: str) -> dict[str, tuple[Value, ...]]:
    """Read `--only`, a text with commas or a list of values by the name of the choice, as values of the space.

    RecipeError, with the known names or values, for a name or value unknown to the space.
    """
    read = {}
    for name, values in asked.items():
        if name not in found.questions:
            known = ", ".join(found.questions) or "none"
            raise RecipeError(f"only: unknown choice {name!r}, those of {space} are {known}")
        read[name] = tuple(dict.fromkeys(_values(name, values, found.questions[name])))
        if not read[name]:
            raise RecipeError(f"only: {name} must keep {found.questions[name]}, got none")
    return read


def _values(name: str, values: object, question: Question) -> Iterable[Value]:
    if isinstance(values, str):
        return _typed(name, values, question)
    listed: Sequence[Any] = values if isinstance(values, Sequence) else (values,)
    for value in listed:
        if not question.admits(value):
            raise RecipeError(f"only: {name} must be {question}, got {value!r}")
    return listed


def _typed(name: str, text: str, question: Question) -> Iterable[Value]:
    """Yield the values of a typed list; a value of the space may itself have commas."""
    words = text.split(",")
    while words:
        for joined in reversed(list(accumulate(words, lambda before, word: f"{before},{word}"))):
            value = _value(joined.strip(), question)
            if value is not None:
                yield value[0]
                words = words[joined.count(",") + 1 :]
                break
        else:
            raise RecipeError(f"only: {name} must be {question}, got {words[0].strip()!r}")


def _value(word: str, question: Question) -> tuple[Value] | None:
    """Return the value a word stands for, in a tuple as None is a value; None if the word stands for no value."""
    if not question.numeric:
        exact = [value for value in question.choices if str(value) == word]
        folded = [
            value for value in question.choices if not isinstance(value, str) and str(value).lower() == word.lower()
        ]
        found = exact or folded
        if found:
            return (found[0],)
    try:
        number = float(word)
    except ValueError:
        return None
    if question.numeric:
        value = round(number) if question.whole and number == round(number) else number
        return (value,) if question.admits(value) else None
    numbers = [v for v in question.choices if isinstance(v, int | float) and not isinstance(v, bool) and v == number]
    return (numbers[0],) if numbers else None
