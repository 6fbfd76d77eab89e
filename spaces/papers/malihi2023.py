"""Malihi & Heidemann 2023, https://doi.org/10.3390/bdcc7030154: distil a student, then prune the student.

Eleven pairs of teacher and student. Eight methods teach every student. The student taught by SimKD, and the teacher,
then lose 10 to 90 % of their weights by size, each time from the whole network, and only the classifier is tuned.

The paper begins with ImageNet's weights and averages ten prunings a pair. The scale `imagenet` begins so, with
torchvision's weights from the local cache; the scale `published` is the same from scratch. Batch size, momentum, weight
decay, learning rate and epochs are the paper's. The paper does not say how long the classifier is tuned: here as long
as a student is taught.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from compress.data.few_images import split_name
from compress.distill import AT, CRD, KD, SP, SRRL, VID, Distiller, SemCKD, SimKD
from compress.models import Model
from compress.pruning import L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Train
from compress.training.settings import Training
from spaces.papers.paper import BREAKPOINT, FIRST, Cell, Claim, Curves, Paper, Picture, Table
from spaces.space import Space, Trial, Value

SOURCE = "https://doi.org/10.3390/bdcc7030154"
PAIRS = (
    ("ResNet101", "ResNet50"),
    ("ResNet101", "ResNet18"),
    ("ResNet152", "ResNet34"),
    ("DenseNet169", "MobileNetV2"),
    ("DenseNet121", "MobileNetV2"),
    ("DenseNet161", "DenseNet169"),
    ("DenseNet161", "DenseNet201"),
    ("EfficientNet-B1", "EfficientNet-B0"),
    ("EfficientNet-B3", "EfficientNet-B2"),
    ("EfficientNet-B5", "EfficientNet-B4"),
    ("EfficientNet-B3", "MobileNetV2"),
)
"""Teacher and student, in the order of Tables 1 and 2."""
NAMES = {f"{teacher} > {student}": (teacher, student) for teacher, student in PAIRS}
TEACHERS = tuple(dict.fromkeys(teacher for teacher, _ in PAIRS))
BEST = "SimKD"
"""The method whose students are pruned."""
TEACHER = "teacher"
DEEPEST, LEVELS = 0.9, 9
FEWER = 0.65
"""Share of a teacher's parameters saved in every pair, by the paper."""


@dataclass(frozen=True)
class Scale:
    """Teachers and students by the paper's names, the methods with their settings, and the trainings."""

    teachers: Mapping[str, Model]
    students: Mapping[str, Model]
    methods: Mapping[str, Distiller]
    schooling: Training
    tuning: Training


_TORCHVISION = {
    **{f"ResNet{depth}": Model(f"resnet{depth}") for depth in (18, 34, 50, 101, 152)},
    **{f"DenseNet{depth}": Model(f"densenet{depth}") for depth in (121, 161, 169, 201)},
    **{f"EfficientNet-B{size}": Model(f"efficientnet-b{size}") for size in range(6)},
    "MobileNetV2": Model("mobilenetv2"),
}
_PAPER = Training(epochs=50, lr=0.001, batch_size=64)
PUBLISHED = Scale(
    _TORCHVISION,
    _TORCHVISION,
    {
        "KD": KD(1.0, 1.0),
        "AT": AT(w_kd=1.0),
        "SP": SP(w_kd=1.0, beta=3000.0),
        "VID": VID(w_kd=1.0),
        "CRD": CRD(w_kd=1.0),
        "SRRL": SRRL(w_kd=1.0),
        "SemCKD": SemCKD(w_kd=1.0),
        BEST: SimKD(),
    },
    _PAPER,
    _PAPER,
)
_WEIGHTS = "torchvision:IMAGENET1K_V1"
_TRAINED = {name: replace(model, weights=_WEIGHTS) for name, model in _TORCHVISION.items()}
IMAGENET = replace(PUBLISHED, teachers=_TRAINED, students=_TRAINED)
_SMALL_TEACHERS = {
    "ResNet101": Model("resnet20", 0.5),
    "ResNet152": Model("resnet32", 0.375),
    "DenseNet169": Model("vgg8", 0.25),
    "DenseNet121": Model("vgg8", 0.1875),
    "DenseNet161": Model("vgg11", 0.1875),
    "EfficientNet-B1": Model("cnn", 1.0),
    "EfficientNet-B3": Model("cnn", 1.5),
    "EfficientNet-B5": Model("cnn", 2.0),
}
_SMALL_STUDENTS = {
    "ResNet50": Model("resnet20", 0.25),
    "ResNet18": Model("resnet8x4", 0.0625),
    "ResNet34": Model("resnet20", 0.3125),
    "MobileNetV2": Model("cnn", 0.625),
    "DenseNet169": Model("vgg8", 0.125),
    "DenseNet201": Model("vgg11", 0.125),
    "EfficientNet-B0": Model("cnn", 0.5),
    "EfficientNet-B2": Model("cnn", 1.25),
    "EfficientNet-B4": Model("cnn", 1.0),
}
SMALL = Scale(
    _SMALL_TEACHERS,
    _SMALL_STUDENTS,
    {
        "KD": KD(),
        "AT": AT(beta=10.0),
        "SP": SP(),
        "VID": VID(),
        "CRD": CRD(beta=0.008),
        "SRRL": SRRL(beta=0.1),
        "SemCKD": SemCKD(beta=4.0, inner=0.5),
        BEST: SimKD(beta=4.0),
    },
    Training(epochs=20),
    Training(epochs=3, lr=0.05),
)
"""Betas as measured for 8x8 images (`spaces.space.SUITED`)."""
_MEDIUM_TEACHERS = {
    "ResNet101": Model("resnet56", 0.5),
    "ResNet152": Model("resnet110", 0.375),
    "DenseNet169": Model("densenet169", 0.25),
    "DenseNet121": Model("densenet121", 0.25),
    "DenseNet161": Model("densenet161", 0.25),
    "EfficientNet-B1": Model("mobilenetv2", 0.75),
    "EfficientNet-B3": Model("mobilenetv2", 1.0),
    "EfficientNet-B5": Model("mobilenetv2", 1.5),
}
_MEDIUM_STUDENTS = {
    "ResNet50": Model("resnet44", 0.375),
    "ResNet18": Model("resnet20", 0.375),
    "ResNet34": Model("resnet32", 0.375),
    "MobileNetV2": Model("mobilenetv2", 0.25),
    "DenseNet169": Model("densenet169", 0.125),
    "DenseNet201": Model("densenet201", 0.125),
    "EfficientNet-B0": Model("mobilenetv2", 0.5),
    "EfficientNet-B2": Model("mobilenetv2", 0.875),
    "EfficientNet-B4": Model("mobilenetv2", 1.25),
}
MEDIUM = Scale(
    _MEDIUM_TEACHERS,
    _MEDIUM_STUDENTS,
    {
        "KD": KD(),
        "AT": AT(),
        "SP": SP(),
        "VID": VID(),
        "CRD": CRD(),
        "SRRL": SRRL(),
        "SemCKD": SemCKD(),
        BEST: SimKD(),
    },
    Training(epochs=15),
    Training(epochs=2, lr=0.05),
)
"""EfficientNet has no narrow networks: MobileNetV2 has the same blocks without attention."""


def build(trial: Trial, task: str, seed: int, *, scale: Scale) -> Recipe:
    """Ask for the network: a teacher by name, or a student by pair and method."""
    cut = Prune(L1Unstructured(), DEEPEST, OneShot(LEVELS), Recovery(scale.tuning, scope="classifier"))
    if trial.suggest_categorical("network", ("student", TEACHER)) == TEACHER:
        teacher = str(trial.suggest_categorical(TEACHER, TEACHERS))
        return Recipe(task, scale.teachers[teacher], (Train(scale.schooling), cut), seed=seed)
    teacher, student = NAMES[str(trial.suggest_categorical("pair", tuple(NAMES)))]
    method = str(trial.suggest_categorical("method", tuple(scale.methods)))
    first = Distill(scale.methods[method], scale.schooling)
    stages = (first, cut) if method == BEST else (first,)
    return Recipe(task, scale.students[student], stages, scale.teachers[teacher], scale.schooling, seed)


def _cell(pair: str, method: str, at: str = FIRST, figure: str = "test") -> Cell:
    return Cell(_choices(pair, method), at, figure)


def _choices(pair: str, method: str) -> dict[str, Value]:
    if method == TEACHER:
        return {"network": TEACHER, TEACHER: NAMES[pair][0]}
    return {"network": "student", "pair": pair, "method": method}


def tables(task: str) -> tuple[Table, ...]:
    """Return the methods' table, the breakpoints' table, and Table 5; numbers are those of CIFAR-10 or CIFAR-100."""
    methods, breakpoints, data = (
        ("Table 1", "Table 3", "CIFAR-100") if _is_cifar100(task) else ("Table 2", "Table 4", "CIFAR-10")
    )
    rows = (*PUBLISHED.methods, TEACHER)
    smallest: dict[tuple[str, str], Cell] = {}
    for teacher, student in reversed(PAIRS):
        smallest[(data, teacher)] = _cell(f"{teacher} > {student}", BEST, BREAKPOINT, "nonzero_params")
    return (
        Table(
            methods,
            "Accuracy of students by distillation method, and of their teachers",
            {(method, pair): _cell(pair, method) for method in rows for pair in NAMES},
        ),
        Table(
            breakpoints,
            "Accuracy and parameters before pruning and at the breakpoint",
            {(row, pair): cell for row, cells in _at_breakpoint().items() for pair, cell in cells.items()},
        ),
        Table("Table 5", "Parameters of each teacher's smallest student", dict(reversed(smallest.items()))),
    )


def _is_cifar100(task: str) -> bool:
    """Tell CIFAR-100 from CIFAR-10, among the tasks and among folders, whose own name counts."""
    return "100" in split_name(task)[1].rpartition("/")[2]


def _at_breakpoint() -> dict[str, dict[str, Cell]]:
    def each(method: str, at: str, figure: str = "test") -> dict[str, Cell]:
        return {pair: _cell(pair, method, at, figure) for pair in NAMES}

    def shares(by: Literal["decrease", "rate"]) -> dict[str, Cell]:
        return {
            pair: replace(
                _cell(pair, BEST, BREAKPOINT, "nonzero_params"), of=_cell(pair, TEACHER, FIRST, "params"), by=by
            )
            for pair in NAMES
        }

    return {
        "teacher accuracy": each(TEACHER, FIRST),
        "student accuracy": each(BEST, FIRST),
        "teacher params": each(TEACHER, FIRST, "params"),
        "student params": each(BEST, FIRST, "params"),
        "teacher accuracy at breakpoint": each(TEACHER, BREAKPOINT),
        "student accuracy at breakpoint": each(BEST, BREAKPOINT),
        "teacher params at breakpoint": each(TEACHER, BREAKPOINT, "nonzero_params"),
        "student params at breakpoint": each(BEST, BREAKPOINT, "nonzero_params"),
        "decrease": shares("decrease"),
        "compression rate": shares("rate"),
    }


def claims(task: str) -> tuple[Claim, ...]:
    """Return the paper's claims on SimKD, on pruned students, and on sizes."""
    others = [method for method in PUBLISHED.methods if method != BEST]
    table = _at_breakpoint()
    return (
        Claim(
            "SimKD is the best method for every pair.",
            [(_cell(pair, BEST), _cell(pair, method)) for pair in NAMES for method in others],
        ),
        Claim(
            "At their breakpoints, students are no less accurate than their pruned teachers.",
            [(_cell(pair, BEST, BREAKPOINT), _cell(pair, TEACHER, BREAKPOINT)) for pair in NAMES],
            margin=0.005,
        ),
        Claim(
            "At its breakpoint, every student has over 65 % fewer parameters than its teacher.",
            [(table["decrease"][pair], FEWER) for pair in NAMES],
        ),
        Claim(
            "A student's breakpoint has fewer parameters than its teacher's.",
            [
                (table["teacher params at breakpoint"][pair], table["student params at breakpoint"][pair])
                for pair in NAMES
            ],
        ),
    )


def pictures(task: str) -> tuple[Picture, ...]:
    """Return the curves of students and teachers, a figure a pair, as in Figure 2 (CIFAR-100) or 3 (CIFAR-10)."""
    number = "Figure 2" if _is_cifar100(task) else "Figure 3"
    return tuple(
        Curves(
            f"{number}{letter}",
            f"Accuracy by remaining parameters: {pair}",
            {"student": _choices(pair, BEST), "teacher": _choices(pair, TEACHER)},
            marks=True,
        )
        for letter, pair in zip("abcdefghijk", NAMES, strict=True)
    )


def _space(scale: Scale) -> Space:
    return Space(
        "malihi2023", partial(build, scale=scale), scale.teachers["ResNet152"], SOURCE, schooling=scale.schooling
    )


MALIHI2023 = Paper(
    "malihi2023",
    "Malihi & Heidemann 2023, Efficient and controllable model compression through sequential knowledge distillation "
    "and pruning",
    SOURCE,
    ("cifar10", "cifar100", "digits"),
    {"published": _space(PUBLISHED), "imagenet": _space(IMAGENET), "medium": _space(MEDIUM), "small": _space(SMALL)},
    tables,
    claims,
    pictures,
)
