"""The joint space at the published scale: CIFAR's networks and their training as papers have them.

Networks are those of RepDistiller (Tian et al. 2020, https://arxiv.org/abs/1910.10699, Tables 1 and 2): ResNet (He et
al. 2016) and its four times wider kind, WRN, VGG and MobileNetV2. ShuffleNet and ImageNet's ResNet-50 are left out.

RepDistiller trains teachers and students alike: 240 epochs of SGD, batches of 64, weight decay 5e-4, a learning rate of
0.05 divided by 10 at epochs 150, 180 and 210; MobileNetV2 begins at 0.01. All families have this schedule here, so that
two networks differ by nothing else. He et al. trained ResNets for 64,000 steps of batches of 128 from a rate of 0.1;
RepDistiller reports 69.06 % for ResNet-20 and 74.31 % for ResNet-110 on CIFAR-100. The momentum here is Nesterov's.

No paper trains between the cuts of a curve. A recovery takes 20 epochs a level, the proportion to the whole training of
the small scale (5 of 60), with the same batches and weight decay. Rates are at most the training's own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from compress.models import Model
from compress.training.settings import Training
from spaces.joint import DEEPEST, JOINT, Trainings, build, over_models
from spaces.space import Space, Value

RESNETS = tuple(Model(f"resnet{depth}") for depth in ("20", "32", "44", "56", "110", "8x4"))
OTHERS = tuple(Model(name) for name in ("wrn-16-2", "wrn-40-1", "vgg8", "vgg13", "mobilenetv2"))
STUDENTS = (*RESNETS, *OTHERS)
TEACHERS = tuple(Model(name) for name in ("resnet32x4", "resnet110", "wrn-40-2", "vgg13", "resnet56"))
"""Teachers of RepDistiller's pairs. The first has the most operations and the best accuracy; VGG13 has more weights."""
EPOCHS = 240
DROPS = (150 / EPOCHS, 180 / EPOCHS, 210 / EPOCHS)
RATE = 0.05
RATES = {"mobilenetv2": 0.01}
"""Learning rates by family, where not `RATE`."""
FROM_WEIGHTS = 0.2
"""Share of the rate for a network that begins with given weights, as at the small scale."""
BATCH = 64
RECOVERY_EPOCHS = 20
RECOVERY_RATES = (0.01, 0.02, 0.05)


def schooling(task: str, model: Model) -> Training:
    """Return RepDistiller's training of the family, at a smaller rate from given weights."""
    rate = RATES.get(model.family, RATE) * (1.0 if model.weights is None else FROM_WEIGHTS)
    return Training(EPOCHS, round(rate, 6), BATCH, decay="step", drops=DROPS)


def _recovering(task: str, model: Model, lr: float) -> Training:
    """Return the training after a cut; a family with a smaller rate from scratch has a smaller rate here."""
    return Training(RECOVERY_EPOCHS, round(lr * RATES.get(model.family, RATE) / RATE, 6), BATCH)


TRAININGS = Trainings(schooling, _recovering, RECOVERY_RATES)
_UNSTRUCTURED: dict[str, Value] = {"pruner": "l1-unstructured", "lr": 0.02, "int8": False}
_FILTERS: dict[str, Value] = {"pruner": "l1-filter", "schedule": "exponential", "sparsity": DEEPEST, "lr": 0.05}
BEGINNINGS: tuple[dict[str, Value], ...] = (
    {"order": "prune", "student": "resnet56", "width": 1.0, "scope": "all", "int8": True, **_FILTERS},
    {  # Malihi 2023
        "order": "distill-prune",
        "student": "resnet8x4",
        "width": 1.0,
        "teacher": "resnet32x4",
        "distiller": "kd",
        "recovery": "classifier",
        "schedule": "one-shot",
        "sparsity": 0.9,
        **_UNSTRUCTURED,
    },
    {  # Chen 2021
        "order": "prune-distill",
        "student": "vgg13",
        "width": 1.0,
        "recovery distiller": "kd",
        "schedule": "exponential",
        "sparsity": 0.95,
        **_UNSTRUCTURED,
    },
    {  # a pair of RepDistiller, pruned
        "order": "distill-prune",
        "student": "wrn-16-2",
        "width": 1.0,
        "teacher": "wrn-40-2",
        "distiller": "crd",
        "recovery": "all",
        "int8": False,
        **_FILTERS,
    },
)


def joint(students: tuple[Model, ...], teachers: tuple[Model, ...]) -> Space:
    """Return the space over a user's models; empty `students` mean `STUDENTS`, empty `teachers` mean no teacher.

    The first of `BEGINNINGS` is tried on every student, the others on the first student.
    """
    return _space(students or STUDENTS, teachers, over_models(BEGINNINGS, students or STUDENTS, teachers))


def _space(students: tuple[Model, ...], teachers: tuple[Model, ...], beginnings: tuple[dict[str, Value], ...]) -> Space:
    teacher = (*teachers, *students)[0]
    return replace(
        JOINT,
        build=partial(build, students=students, teachers=teachers, trainings=TRAININGS),
        teacher=teacher,
        source="https://arxiv.org/abs/1910.10699",
        beginnings=beginnings,
        given=joint,
        rate=RATE,
        recovery_rate=RECOVERY_RATES[1],
        schooling=TRAININGS.learning("", teacher),
    )


JOINT_PUBLISHED = _space(STUDENTS, TEACHERS, BEGINNINGS)
