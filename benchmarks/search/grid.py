"""A part of the joint space that is small enough to train all of: its recipes can be recorded once and replayed.

The choices have the joint space's names. Every pruned curve goes to the deepest level of that space, so `sparsity` is
only the place on it that is asked about.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from compress.lowrank import FACTORIZERS
from compress.models import Model
from compress.pruning import SCHEDULES
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.training.settings import Training
from spaces.joint import BEGINNINGS, DEEPEST, LEVELS, ORDERS, WIDTHS
from spaces.questions import Asks, Question
from spaces.space import Space, Trial, Value, chosen, distiller, effort, learning, pruner, schooling

TASK = "digits"
TEACHER = Model("resnet20")
STUDENTS = {"cnn": WIDTHS, "resnet20": (0.5,)}
PRUNED_BY = ("l1-filter", "bn-scale", "l1-unstructured")
SCHEDULED = ("one-shot", "exponential")
RATES = (0.02, 0.05)
FACTORIZED = 0.9
"""The most that every factorizer can take from every student."""


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """One of the recipes; all distillation is Hinton's."""
    order = trial.suggest_categorical("order", ORDERS)
    family = str(trial.suggest_categorical("student", tuple(STUDENTS)))
    student = Model(family, STUDENTS[family][0])
    if len(STUDENTS[family]) > 1:
        student = replace(student, width=float(trial.suggest_categorical("width", STUDENTS[family])))
    kd = distiller("kd", task)
    first: Stage = Distill(kd, schooling(task)) if order == "distill-prune" else Train(learning(task, student))
    trial.suggest_float("sparsity", 0.0, DEEPEST)
    training = Training(epochs=effort(task).recovery, lr=float(trial.suggest_categorical("lr", RATES)))
    way: object = "distill"
    if order == "prune":
        way = trial.suggest_categorical("scope", ("all", "classifier"))
    elif order != "prune-distill":
        way = trial.suggest_categorical("recovery", ("all", "classifier", "distill"))
    recovery = Recovery(training, distiller=kd) if way == "distill" else Recovery(training, scope=str(way))
    if order == "lowrank":
        factorizer = chosen(FACTORIZERS, trial.suggest_categorical("factorizer", tuple(FACTORIZERS)))
        cut: Stage = Factorize(factorizer, FACTORIZED, SCHEDULES["one-shot"](LEVELS), recovery)
    else:
        method = pruner(trial.suggest_categorical("pruner", PRUNED_BY), task)
        schedule = SCHEDULES[str(trial.suggest_categorical("schedule", SCHEDULED))](LEVELS)
        cut = Prune(method, DEEPEST, schedule, recovery)
    stages = [first, cut]
    if trial.suggest_categorical("int8", (False, True)):
        stages.append(Quantize(chosen(QUANTIZERS, "int8")))
    taught = order == "distill-prune"
    return Recipe(task, student, tuple(stages), TEACHER if taught else None, schooling(task) if taught else None, seed)


GRID = Space("grid", build, TEACHER, "a part of the joint space", BEGINNINGS)


@dataclass
class Listed(Asks):
    """A trial that takes the values at these places of what it is asked for, the first of those beyond; middles."""

    places: tuple[int, ...]
    params: dict[str, Value] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def ask(self, name: str, question: Question) -> Value:
        """The value at the next place; numbers are not part of the list."""
        if question.numeric:
            return (question.low + question.high) / 2
        at = self.places[len(self.sizes)] if len(self.sizes) < len(self.places) else 0
        self.sizes.append(len(question.choices))
        self.params[name] = question.choices[at]
        return question.choices[at]


@dataclass(frozen=True)
class Given(Asks):
    """A trial with given answers."""

    params: Mapping[str, Value]

    def ask(self, name: str, question: Question) -> Value:
        """As given, or the upper end of a range."""
        return float(self.params.get(name, question.high)) if question.numeric else self.params[name]  # type: ignore[arg-type]


def everything() -> Iterator[tuple[dict[str, Value], Recipe]]:
    """All choices but `sparsity`, with the recipes that they make."""
    places: tuple[int, ...] | None = ()
    while places is not None:
        trial = Listed(places)
        recipe = build(trial, TASK, 0)
        yield trial.params, recipe
        places = _next(places, trial.sizes)


def _next(places: tuple[int, ...], sizes: list[int]) -> tuple[int, ...] | None:
    """As the digits of a number whose places have these sizes: one more, None after the last."""
    whole = list(itertools.islice(itertools.chain(places, itertools.repeat(0)), len(sizes)))
    for at in reversed(range(len(sizes))):
        if whole[at] + 1 < sizes[at]:
            return (*whole[:at], whole[at] + 1)
    return None
