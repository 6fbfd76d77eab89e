"""A space: a pure function asking a trial for values and returning a recipe.

The choice named `sparsity` is a position on the trial's curve: the sampler learns every point of the curve under the
point's own sparsity. Choices about the training of teachers and students are few and discrete: trials with equal
choices share the trained network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from compress.data.few_images import split_name
from compress.distill import DISTILLERS, Distiller
from compress.errors import RecipeError
from compress.models import Model
from compress.pruning import PRUNERS, SCHEDULES, OneShot, Pruner, Schedule
from compress.recipe import Recipe
from compress.stages import Recovery, Train
from compress.training.settings import Training

T = TypeVar("T")
Value = str | int | float | bool | None
PLACED = ("sparsity", "int8")
"""Choices that place a point on the curves of a trial: a sampler is told each point under its own."""


PUBLISHED, SMALL = "published", "small"
"""Scales of the built-in spaces: networks and trainings of the papers, and narrow networks for small images."""
PUBLISHED_TASKS = ("cifar10", "cifar100")
"""Tasks of the papers; their studies are of the published scale by default, others of the small scale."""


class Trial(Protocol):
    """The part of an Optuna trial open to spaces."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return a member of `choices`."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number in `[low, high]`, with a `step` from `low` on; `log` spreads numbers by their logarithm."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number in `[low, high]`."""


@dataclass(frozen=True)
class Effort:
    """Epochs of a training from scratch, and of the recovery at each level of a curve."""

    scratch: int
    recovery: int


EFFORT = {"digits": Effort(60, 10), "digits-angle": Effort(60, 10)}
"""Epochs by task. Any other task gets `DEFAULT_EFFORT`, chosen for some 50,000 images."""
DEFAULT_EFFORT = Effort(60, 5)


def effort(task: str) -> Effort:
    """Return the epochs for a task."""
    return EFFORT.get(split_name(task)[1], DEFAULT_EFFORT)


def schooling(task: str, model: Model | None = None) -> Training:
    """Return the training of a teacher or student: from scratch, or at a smaller learning rate from given weights."""
    return Training(epochs=effort(task).scratch, lr=0.1 if model is None or model.weights is None else 0.02)


def learning(task: str, model: Model) -> Training:
    """Return the training of a network on labels: `schooling`, or no epochs for a model already trained."""
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
"""Settings of methods by task, in place of settings published for 32x32 images.

The published settings did worse on validation; a published `inner` took twice the time without gain. Measured in
`methods-betas-digits.md` and, for `cosine` and `simkd`, `methods-losers-digits.md`, both in `benchmarks/results/`.
"""
ANYWHERE: dict[str, dict[str, float]] = {
    "resrep": {"start": 1, "every": 1, "more": 4, "lasso": 0.001, "threshold": 10.0, "momentum": 0.9}
}
"""Settings better than the published settings on every task.

ResRep's published settings are made for 10,000 steps and more. In a recovery of some hundred steps the lasso brings no
row near zero, and the last rows are never masked. Here a masked row goes to zero at once, four rows a step, after an
epoch of learning. During the first epoch the rows' norms are nearly equal: a few batches would decide by chance. See
`methods-resrep-*` in `benchmarks/results/`.
"""


def _suited(name: str, task: str) -> dict[str, float]:
    return {**ANYWHERE.get(name, {}), **SUITED.get(split_name(task)[1], {}).get(name, {})}


@dataclass(frozen=True)
class Space:
    """A named space: `build(trial, task, seed)` returns a recipe.

    `teacher` is the largest model of the space; budgets and reference points are relative to the unpruned teacher.
    `source` links the paper. `beginnings` are choices tried first, among them recipes of the papers. The sampler `auto`
    skips the beginnings: with them a good front came no sooner. `given(students, teachers)` returns the same space over
    a user's models; empty students mean the space's own, empty teachers mean no teacher. `given` is None for a space
    about certain models. `teachers_by_task` names the largest model for tasks on which no recipe has the `teacher`.
    `rate` and `recovery_rate` are the learning rates of the space's trainings from scratch and of
    its recoveries: a study with rates of its own scales every rate of the space by their ratio.

    `schooling` is the training of the unpruned teacher, `learning` of the task if None. `settle(choices)` returns the
    choices as the space takes them (`spaces/restrict.py`). `recipes` are the given recipes by name in a space of given
    recipes alone (`spaces/given_recipes.py`).

    `scales` holds the same study at several scales by name, {} for a space of one scale; `with_scales` makes such a
    space. `dataclasses.replace` leaves `scales` out: a changed space is of one scale.
    """

    name: str
    build: Callable[[Trial, str, int], Recipe]
    teacher: Model
    source: str
    beginnings: tuple[Mapping[str, Value], ...] = ()
    given: Callable[[tuple[Model, ...], tuple[Model, ...]], Space] | None = None
    rate: float = Training().lr
    recovery_rate: float = Recovery().training.lr
    schooling: Training | None = None
    settle: Callable[[Mapping[str, Value]], dict[str, Value]] = dict
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    teachers_by_task: Mapping[str, Model] = field(default_factory=dict)
    scales: Mapping[str, Space] = field(default_factory=dict, init=False)

    def scale_for(self, task: str, asked: str | None = None) -> str | None:
        """Return the scale `asked` for, else the default of the task; None for a space of one scale.

        The default is `PUBLISHED` for `PUBLISHED_TASKS` and `SMALL` for others; without such a scale, the first.
        RecipeError for an unknown scale, and for any scale of a space of one scale.
        """
        if asked is not None:
            self.at(asked)
            return asked
        default = PUBLISHED if split_name(task)[1] in PUBLISHED_TASKS else SMALL
        return next((name for name in (default, *self.scales) if name in self.scales), None)

    def at(self, scale: str | None) -> Space:
        """Return the space of the scale; None stands for the one scale of a space without `scales`.

        RecipeError for an unknown scale, and for any scale of a space of one scale.
        """
        if not self.scales and scale is not None:
            raise RecipeError(f"scale: must be left out, as the space {self.name} has only one, got {scale!r}")
        if self.scales and scale not in [*self.scales]:
            raise RecipeError(f"scale: unknown {scale!r}, those of the space {self.name} are {', '.join(self.scales)}")
        return self if scale is None else self.scales[scale]

    def for_task(self, task: str) -> Space:
        """Return the space with the teacher of the task: of `teachers_by_task`, else the space's own."""
        teacher = self.teachers_by_task.get(split_name(task)[1], self.teacher)
        return self if teacher == self.teacher else replace(self, teacher=teacher)

    def baseline(self, task: str, seed: int) -> Recipe:
        """Return the recipe of the unpruned teacher, the first trial of every study."""
        return Recipe(task, self.teacher, (Train(self.schooling or learning(task, self.teacher)),), seed=seed)


def with_scales(scales: Mapping[str, Space]) -> Space:
    """Return the space at `scales`, by name and all of the same name; in other respects as the last of `scales`."""
    found = replace([*scales.values()][-1])
    object.__setattr__(found, "scales", dict(scales))
    return found


def place(choices: Mapping[str, Value], sparsity: float, variant: str) -> dict[str, Value]:
    """Return the choices for a point of the trial's curve: with the point's own sparsity and `int8`."""
    own: dict[str, Value] = {"sparsity": sparsity, "int8": variant == "int8"}
    return {name: own.get(name, value) for name, value in choices.items()}


def chosen(methods: dict[str, type[T]], name: object) -> T:
    """Return the method `name` with its default settings."""
    return methods[str(name)]()


def distiller(name: object, task: str) -> Distiller:
    """Return the distillation method `name`, with the settings for the task."""
    kind: Any = DISTILLERS[str(name)]
    method: Distiller = kind(**_suited(kind.name, task))
    return method


def pruner(name: object, task: str, **settings: Any) -> Pruner:
    """Return the pruning method `name`, with the settings for the task, overridden by `settings`."""
    kind: Any = PRUNERS[str(name)]
    method: Pruner = kind(**{**_suited(kind.name, task), **settings})
    return method


def schedule(trial: Trial, names: tuple[str, ...], recovery: Recovery) -> type[Schedule]:
    """Ask for a schedule of `names`; one-shot without asking if the recovery's distiller ships an adapter.

    An adapter adds layers to the network: no further level can be cut after it.
    """
    if recovery.distiller is not None and recovery.distiller.ships_adapter:
        return OneShot
    return SCHEDULES[str(trial.suggest_categorical("schedule", names))]
