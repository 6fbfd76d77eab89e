"""The joint space: which student, from which teacher, cut how and how far, recovered how, in which order.

Orders: "distill-prune" distills a student and prunes it (Malihi 2023), "prune-distill" prunes a network and distills it
back from its unpruned original (Chen 2021), "prune" and "lowrank" do without a teacher. Each may end in int8.
"""

from __future__ import annotations

from dataclasses import replace

from compress.distill import DISTILLERS
from compress.lowrank import FACTORIZERS
from compress.models import Model
from compress.pruning import PRUNERS, SCHEDULES, Inside
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stage import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.training import Training
from spaces.space import Space, Trial, Value, chosen, distiller, effort, pruner, schedule, schooling

ORDERS = ("distill-prune", "prune-distill", "prune", "lowrank")
STUDENTS = ("cnn", "resnet20")
WIDTHS = (0.25, 0.5, 1.0)
TEACHERS = ("resnet20", "cnn")
RECOVERY_RATES = (0.02, 0.05, 0.1)
LEVELS = 8
TOLERANCES = (0.01, 0.02, 0.05)
DEEPEST = 0.95
SHALLOWEST_TARGET = 0.5
"""A curve that stops early costs nearly as much as one that goes on, so targets below this are raised to it."""


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """One recipe of the joint space."""
    order = trial.suggest_categorical("order", ORDERS)
    student = Model(
        str(trial.suggest_categorical("student", STUDENTS)), float(trial.suggest_categorical("width", WIDTHS))
    )
    teacher = None
    first: Stage = Train(schooling(task))
    if order == "distill-prune":
        teacher = Model(str(trial.suggest_categorical("teacher", TEACHERS)))
        method = distiller(trial.suggest_categorical("distiller", tuple(DISTILLERS)), task)
        first = Distill(method, schooling(task))
    sparsity = max(trial.suggest_float("sparsity", 0.0, DEEPEST), SHALLOWEST_TARGET)
    rate = float(trial.suggest_categorical("lr", RECOVERY_RATES))
    if order == "prune":
        way = trial.suggest_categorical("scope", ("all", "classifier"))
    elif order == "prune-distill":
        way = "distill"
    else:
        way = trial.suggest_categorical("recovery", ("all", "classifier", "distill"))
    recovery = _recovery(trial, way, Training(epochs=effort(task).recovery, lr=rate), task)
    stages: list[Stage] = [first, _cut(trial, order, round(sparsity * 20) / 20, recovery, task)]
    if trial.suggest_categorical("int8", (False, True)):
        stages.append(Quantize(chosen(QUANTIZERS, "int8")))
    return Recipe(task, student, tuple(stages), teacher, schooling(task) if teacher else None, seed)


def _recovery(trial: Trial, way: object, training: Training, task: str) -> Recovery:
    if way == "distill":
        name = trial.suggest_categorical("recovery distiller", tuple(DISTILLERS))
        return Recovery(training, distiller=distiller(name, task))
    return Recovery(training, scope=str(way))


def _cut(trial: Trial, order: object, sparsity: float, recovery: Recovery, task: str) -> Stage:
    if order == "lowrank":
        factorizer = chosen(FACTORIZERS, trial.suggest_categorical("factorizer", tuple(FACTORIZERS)))
        return Factorize(factorizer, sparsity, SCHEDULES["one-shot"](LEVELS), recovery)
    name = str(trial.suggest_categorical("pruner", tuple(PRUNERS)))
    if issubclass(PRUNERS[name], Inside):  # these need all weights to train
        recovery = replace(recovery, scope="all")
    if PRUNERS[name].adaptive:
        if recovery.distiller is not None and recovery.distiller.ships_adapter:  # but each round follows another
            recovery = replace(recovery, distiller=distiller("kd", task))
        tolerance = trial.suggest_categorical("tolerance", TOLERANCES)
        return Prune(pruner(name, task, tolerance=tolerance), recovery=recovery)
    return Prune(pruner(name, task), sparsity, schedule(trial, tuple(SCHEDULES), recovery)(LEVELS), recovery)


_FILTERS: dict[str, Value] = {"pruner": "l1-filter", "schedule": "exponential", "sparsity": DEEPEST, "lr": 0.05}
BEGINNINGS: tuple[dict[str, Value], ...] = (
    {"order": "prune", "student": "cnn", "width": 1.0, "scope": "all", "int8": True, **_FILTERS},
    {  # Malihi 2023
        "order": "distill-prune",
        "student": "cnn",
        "width": 0.5,
        "teacher": "resnet20",
        "distiller": "kd",
        "recovery": "classifier",
        "pruner": "l1-unstructured",
        "schedule": "one-shot",
        "sparsity": 0.9,
        "lr": 0.02,
        "int8": False,
    },
    {  # Chen 2021
        "order": "prune-distill",
        "student": "resnet20",
        "width": 0.5,
        "recovery distiller": "kd",
        "pruner": "l1-unstructured",
        "schedule": "exponential",
        "sparsity": 0.95,
        "lr": 0.02,
        "int8": False,
    },
)

JOINT = Space("joint", build, Model("resnet20"), "https://arxiv.org/abs/1503.02531", BEGINNINGS)
