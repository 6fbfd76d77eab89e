"""Questions of a space: what a space asks a trial for, and trials made of a single way to answer.

A question is a choice of values or a number in a range, as in Optuna's `suggest_categorical`, `suggest_float` and
`suggest_int`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compress.errors import RecipeError
from spaces.space import Trial, Value


@dataclass(frozen=True)
class Question:
    """What a trial may answer: one of `choices`, or without choices a number in `[low, high]`.

    A `whole` number is an int. With a `step` the number is `low` plus a multiple of the step; `log` draws numbers
    evenly by their logarithm. RecipeError for a question without an answer, or with a value that JSON has no word for.
    """

    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False
    numeric: bool = False

    def __post_init__(self) -> None:
        for value in self.choices:
            if not isinstance(value, str | int | float | None):
                raise RecipeError(f"choices must be text, numbers, True, False or None, got {value!r}")
        if not self.numeric:
            if not self.choices:
                raise RecipeError("choices must have a value, got none")
            return
        for number in (self.low, self.high):
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                raise RecipeError(f"low and high must be finite numbers, got {number!r}")
        if self.low > self.high:
            raise RecipeError(f"low must be at most high, got {self.low!r} and {self.high!r}")
        if self.step is not None and not self.step > 0:
            raise RecipeError(f"step must be above 0, got {self.step!r}")
        if self.log and (self.low <= 0 or self.step not in (None, 1)):
            raise RecipeError(f"low must be above 0, and step left out, with log, got {self.low!r} and {self.step!r}")

    @property
    def count(self) -> int:
        """Number of answers; 0 for numbers without a step, which cannot be listed."""
        if not self.numeric:
            return len(self.choices)
        return 0 if self.step is None else math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def value(self, place: int) -> Value:
        """Return the answer at a place of the list, from 0."""
        if not self.numeric:
            return self.choices[place]
        return self._number(self.low + place * (self.step or 0.0))

    def admits(self, value: object) -> bool:
        """Return whether the value is an answer; True and 1 are different answers."""
        if not self.numeric:
            return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-6)

    def at(self, share: float) -> Value:
        """Return the answer at a place in [0, 1): evenly spread places give every answer the same chance."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return self._number(min(self.high, max(self.low, math.exp(low + (high - low) * share))))
        if self.count:
            return self.value(int(share * self.count))
        return self._number(self.low + (self.high - self.low) * share)

    def put_to(self, trial: Trial, name: str) -> Any:
        """Ask a trial and return its answer."""
        if not self.numeric:
            return trial.suggest_categorical(name, self.choices)
        more: dict[str, Any] = {} if self.step is None else {"step": self.step}
        more |= {"log": True} if self.log else {}
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), **more)
        return trial.suggest_float(name, self.low, self.high, **more)

    def _number(self, value: float) -> Value:
        return round(value) if self.whole else float(value)

    def __str__(self) -> str:
        if not self.numeric:
            return f"one of {', '.join(map(str, self.choices))}"
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} in [{self.low:g}, {self.high:g}]"


class Asks(ABC):
    """A trial with all its questions answered by `ask`."""

    @abstractmethod
    def ask(self, name: str, question: Question) -> Any:
        """Return the answer to a question."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return a member of `choices`."""
        return self.ask(name, _question(name, choices=tuple(choices)))

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> Any:
        """Return a number in `[low, high]`."""
        return self.ask(name, _question(name, low=low, high=high, step=step, log=log, numeric=True))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> Any:
        """Return a whole number in `[low, high]`."""
        return self.ask(name, _question(name, low=low, high=high, step=step, log=log, whole=True, numeric=True))


def _question(name: str, **said: Any) -> Question:
    try:
        return Question(**said)
    except (RecipeError, TypeError) as error:
        raise RecipeError(f"{name}: {error}") from error


class Recorded(Asks):
    """Answers by a function of name and question, and keeps questions and answers by name, in the order of asking.

    A name asked again gets its first answer. RecipeError where the second question is another.
    """

    def __init__(self, answer: Callable[[str, Question], Value]) -> None:
        self.answer = answer
        self.questions: dict[str, Question] = {}
        self.answers: dict[str, Value] = {}

    def ask(self, name: str, question: Question) -> Any:
        """Return the first answer under this name."""
        check_same(name, self.questions.setdefault(name, question), question)
        if name not in self.answers:
            self.answers[name] = self.answer(name, question)
        return self.answers[name]


def given(choices: Mapping[str, Value]) -> Recorded:
    """Return a trial that answers with the `choices`; RecipeError for a question they do not answer."""

    def answer(name: str, question: Question) -> Value:
        if name not in choices or not question.admits(choices[name]):
            raise RecipeError(f"{name} must be {question}, got {choices.get(name, 'nothing')!r}")
        return choices[name]

    return Recorded(answer)


def check_same(name: str, first: Question, now: Question) -> None:
    """Raise RecipeError if a name stands for two questions: samplers learn by name."""
    if first != now:
        raise RecipeError(f"{name} must be the same question every time, got {first}, then {now}")
