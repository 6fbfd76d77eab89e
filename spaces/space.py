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
from compress.pruning import PRUNERS, SCHEDULES, OneShot, Pruner, Schedule
from compress.recipe import Recipe
from compress.stages import Recovery, Train
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


def schooling(task: str, model: Model | None = None) -> Training:
    """How teachers and students are trained: from scratch, or with smaller steps from weights the model comes with."""
    return Training(epochs=effort(task).scratch, lr=0.1 if model is None or model.weights is None else 0.02)


def learning(task: str, model: Model) -> Training:
    """How a network learns from labels: as `schooling` has it, but one that comes trained is taken as it is."""
    return Training(epochs=0) if model.trained else schooling(task, model)


SUITED: dict[str, dict[str, dict[str, float]]] = {
    "digits": {
        "at": {"beta": 10.0},
        "fitnets": {"beta": 1.0},
        "srrl": {"beta": 0.1},
        "semckd": {"beta": 4.0, "inner": 0.5},
        "crd": {"beta": 0.008},
        "cosine": {"beta": 4.0},
        "simkd": {"beta": 4.0},
    }
}
"""Per task, settings of methods whose published ones, of 32x32 images, did worse on validation or, for `inner`, took
twice the time for nothing: see `methods-betas-digits.md` in `benchmarks/results/` and, for `cosine` and `simkd`,
`methods-losers-digits.md`."""
ANYWHERE: dict[str, dict[str, float]] = {
    "resrep": {"start": 1, "every": 1, "more": 4, "lasso": 0.001, "threshold": 10.0, "momentum": 0.9}
}
"""Settings that suit every task better than the published ones. ResRep's are made for 10,000 steps and more; in a
recovery of some hundred the lasso brings no row near zero and the last rows are never reached. So a masked row goes to
zero at once, four a step, and only after an epoch of learning: earlier the rows are near equal still, and those that a
few batches happened to shrink would go, see `methods-resrep-*` in `benchmarks/results/`."""


def _suited(name: str, task: str) -> dict[str, float]:
    return {**ANYWHERE.get(name, {}), **SUITED.get(task, {}).get(name, {})}


@dataclass(frozen=True)
class Space:
    """A named space: `build(trial, task, seed)` gives a recipe.

    `teacher` is the largest model in it; unpruned, it is what budgets and reference points are measured by.
    `beginnings` are choices tried first, the papers' own recipes among them; but not with the sampler `auto`, which
    comes no sooner to a good front with them. `given(students, teachers)` is the same space over a user's models, an
    empty tuple for the space's own or none; a space about certain models has no `given`.
    """

    name: str
    build: Callable[[Trial, str, int], Recipe]
    teacher: Model
    source: str
    beginnings: tuple[Mapping[str, Value], ...] = ()
    given: Callable[[tuple[Model, ...], tuple[Model, ...]], Space] | None = None

    def baseline(self, task: str, seed: int) -> Recipe:
        """The plain teacher, every study's first trial."""
        return Recipe(task, self.teacher, (Train(learning(task, self.teacher)),), seed=seed)


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
    made: Distiller = kind(**_suited(kind.name, task))
    return made


def pruner(name: object, task: str, **settings: Any) -> Pruner:
    """The pruning method of that name, with the settings that suit the task and those given."""
    kind: Any = PRUNERS[str(name)]
    made: Pruner = kind(**{**_suited(kind.name, task), **settings})
    return made


def schedule(trial: Trial, names: tuple[str, ...], recovery: Recovery) -> type[Schedule]:
    """One of the names, as the trial has it; where recovery ships layers no level can follow another: one-shot."""
    if recovery.distiller is not None and recovery.distiller.ships_adapter:
        return OneShot
    return SCHEDULES[str(trial.suggest_categorical("schedule", names))]
