"""The joint space at the small scale: student, teacher, order of stages, pruning or low rank, sparsity, recovery, int8.

Order "distill-prune" distills a student, then prunes the student (Malihi 2023). "prune-distill" prunes a network and
recovers by distillation from the unpruned original (Chen 2021). "prune" and "lowrank" need no teacher. Every order may
end in int8. `spaces/joint_published.py` asks the same questions about the networks and trainings of papers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from compress.distill import DISTILLERS
from compress.lowrank import FACTORIZERS
from compress.models import Model
from compress.pruning import PRUNERS, SCHEDULES, DuringTraining
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.training.settings import Training
from spaces.space import Space, Trial, Value, chosen, distiller, effort, pruner, schedule, schooling

ORDERS = ("distill-prune", "prune-distill", "prune", "lowrank")
STUDENTS = (Model("cnn"), Model("resnet20"))
WIDTHS = (0.25, 0.5, 1.0)
TEACHERS = (Model("resnet20"), Model("cnn"))
LEVELS = 8
TOLERANCES = (0.01, 0.02, 0.05)
DEEPEST = 0.95
SHALLOWEST_TARGET = 0.5
"""Smallest sparsity to prune to; lower targets are raised: a short curve costs nearly as much as a long curve."""


@dataclass(frozen=True)
class Trainings:
    """Trainings of the joint space at a scale.

    `schooling(task, model)` is the training from scratch, or from given weights. `recovery(task, model, lr)` is the
    training after a cut, `lr` one of the `rates`.
    """

    schooling: Callable[[str, Model], Training]
    recovery: Callable[[str, Model, float], Training]
    rates: tuple[float, ...]

    def learning(self, task: str, model: Model) -> Training:
        """Return the training of a network on labels: `schooling`, or no epochs for a model already trained."""
        return Training(epochs=0) if model.trained else self.schooling(task, model)


def _recovering(task: str, model: Model, lr: float) -> Training:
    return Training(epochs=effort(task).recovery, lr=lr)


SMALL_TRAININGS = Trainings(schooling, _recovering, (0.02, 0.05, 0.1))


def build(
    trial: Trial,
    task: str,
    seed: int,
    *,
    students: tuple[Model, ...],
    teachers: tuple[Model, ...],
    trainings: Trainings = SMALL_TRAININGS,
) -> Recipe:
    """Ask for a recipe of the joint space, without "distill-prune" if `teachers` is empty.

    Widths are asked for if the student `scales`.
    """
    order = trial.suggest_categorical("order", ORDERS if teachers else ORDERS[1:])
    student = _named(students, trial.suggest_categorical("student", tuple(map(str, students))))
    if student.scales:
        student = replace(student, width=float(trial.suggest_categorical("width", WIDTHS)))
    teacher = None
    first: Stage = Train(trainings.learning(task, student))
    if order == "distill-prune":
        teacher = _named(teachers, trial.suggest_categorical("teacher", tuple(map(str, teachers))))
        method = distiller(trial.suggest_categorical("distiller", tuple(DISTILLERS)), task)
        first = Distill(method, trainings.schooling(task, student))
    sparsity = max(trial.suggest_float("sparsity", 0.0, DEEPEST), SHALLOWEST_TARGET)
    rate = float(trial.suggest_categorical("lr", trainings.rates))
    if order == "prune":
        way = trial.suggest_categorical("scope", ("all", "classifier"))
    elif order == "prune-distill":
        way = "distill"
    else:
        way = trial.suggest_categorical("recovery", ("all", "classifier", "distill"))
    recovery = _recovery(trial, way, trainings.recovery(task, student, rate), task)
    stages: list[Stage] = [first, _cut(trial, order, round(sparsity * 20) / 20, recovery, task)]
    if trial.suggest_categorical("int8", (False, True)):
        stages.append(Quantize(chosen(QUANTIZERS, "int8")))
    taught = trainings.learning(task, teacher) if teacher else None
    return Recipe(task, student, tuple(stages), teacher, taught, seed)


def _named(models: tuple[Model, ...], name: object) -> Model:
    return next(model for model in models if str(model) == name)


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
    during_training, adaptive = issubclass(PRUNERS[name], DuringTraining), PRUNERS[name].adaptive
    if during_training:
        recovery = replace(recovery, scope="all")
    if (during_training or adaptive) and recovery.distiller is not None and recovery.distiller.ships_adapter:
        recovery = replace(recovery, distiller=distiller("kd", task))
    if adaptive:
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


def joint(students: tuple[Model, ...], teachers: tuple[Model, ...]) -> Space:
    """Return the joint space over a user's models; empty `students` mean `STUDENTS`, empty `teachers` mean no teacher.

    The first of `BEGINNINGS` is tried on every student, the others on the first student.
    """
    students = students or STUDENTS
    given = partial(build, students=students, teachers=teachers)
    beginnings = over_models(BEGINNINGS, students, teachers)
    return replace(JOINT, build=given, teacher=(*teachers, *students)[0], beginnings=beginnings)


def over_models(
    beginnings: tuple[Mapping[str, Value], ...], students: tuple[Model, ...], teachers: tuple[Model, ...]
) -> tuple[dict[str, Value], ...]:
    """Return the first of `beginnings` on every student, the others on the first student and teacher."""
    first, *others = beginnings
    fit = [choices for choices in others if teachers or "teacher" not in choices]
    return tuple(
        _with_models(choices, student, teachers)
        for choices, taken in ((first, students), *((one, students[:1]) for one in fit))
        for student in taken
    )


def _with_models(choices: Mapping[str, Value], student: Model, teachers: tuple[Model, ...]) -> dict[str, Value]:
    """Return choices with another student and teacher, and without a width if the student has a fixed width."""
    models: dict[str, Value] = {"student": str(student)}
    if teachers:
        models["teacher"] = str(teachers[0])
    possible = {name: value for name, value in choices.items() if name != "width" or student.scales}
    return {name: models.get(name, value) for name, value in possible.items()}


JOINT = Space(
    "joint",
    partial(build, students=STUDENTS, teachers=TEACHERS),
    Model("resnet20"),
    "https://arxiv.org/abs/1503.02531",
    BEGINNINGS,
    joint,
)
