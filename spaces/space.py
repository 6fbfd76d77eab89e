"""What a space is: a pure function that asks a trial for values and returns a recipe.

A choice named `sparsity` is the place on the trial's curve that is asked about: the sampler is told every point of the
curve under its own sparsity. Choices that decide how a teacher or a student is trained are few and discrete, so that
trials share them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from compress.distill import DISTILLERS, Distiller
from compress.models import Model
from compress.recipe import Recipe
from compress.stage import Train
from compress.training import Training

T = TypeVar("T")
Value = str | int | float | bool | None


class Trial(Protocol):
    """The part of an Optuna trial that a space uses."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of `choices`."""

    def suggest_float(self, name: str, low: float, high: float) -> float:
        """A number in `[low, high]`."""


@dataclass(frozen=True)
class Effort:
    """Epochs of a training from scratch, and of the recovery at each level of a curve."""

    scratch: int
    recovery: int


EFFORT = {"digits": Effort(60, 10)}
"""Per task; what is not named gets `DEFAULT_EFFORT`, made for sets of some 50,000 images."""
DEFAULT_EFFORT = Effort(60, 5)


def effort(task: str) -> Effort:
    """Of a task by name."""
    return EFFORT.get(task, DEFAULT_EFFORT)


def schooling(task: str) -> Training:
    """How teachers and students are trained from scratch."""
    return Training(epochs=effort(task).scratch, lr=0.1)


SUITED: dict[str, dict[str, dict[str, float]]] = {
    "digits": {
        "at": {"beta": 10.0},
        "fitnets": {"beta": 1.0},
        "srrl": {"beta": 0.1},
        "semckd": {"beta": 4.0, "inner": 0.5},
        "crd": {"beta": 0.008},
    }
}
"""Per task, settings of distillation methods whose published ones, of 32x32 images, did worse on validation or, for
`inner`, took twice the time for nothing: see `benchmarks/results/methods.md`."""


@dataclass(frozen=True)
class Space:
    """A named space: `build(trial, task, seed)` gives a recipe.

    `teacher` is the largest model in it; unpruned, it is what budgets and reference points are measured by.
    `beginnings` are choices tried first, the papers' own recipes among them.
    """

    name: str
    build: Callable[[Trial, str, int], Recipe]
    teacher: Model
    source: str
    beginnings: tuple[Mapping[str, Value], ...] = ()

    def baseline(self, task: str, seed: int) -> Recipe:
        """The plain teacher, every study's first trial."""
        return Recipe(task, self.teacher, (Train(schooling(task)),), seed=seed)


def place(choices: Mapping[str, Value], sparsity: float, variant: str) -> dict[str, Value]:
    """The choices under which one point of a trial's curve is an observation: its own sparsity, its own bits."""
    own: dict[str, Value] = {"sparsity": sparsity, "int8": variant == "int8"}
    return {name: own.get(name, value) for name, value in choices.items()}


def chosen(methods: dict[str, type[T]], name: object) -> T:
    """The method of that name with its default settings."""
    return methods[str(name)]()


def distiller(name: object, task: str) -> Distiller:
    """The distillation method of that name, with the settings that suit the task."""
    kind: Any = DISTILLERS[str(name)]
    made: Distiller = kind(**SUITED.get(task, {}).get(kind.name, {}))
    return made
