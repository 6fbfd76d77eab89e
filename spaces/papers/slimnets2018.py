"""SlimNets, Sweeney et al. 2018, https://arxiv.org/abs/1808.00496: VGG19 pruned, factorized, distilled, and combined.

VGG19 is pruned layer by layer to three sparsities, gradually or at once with as many steps; its convolutions become
pairs of the paper's own ranks, with BN; six students learn with and without VGG19 as teacher; the best student is
pruned gradually. The paper gives 100,000 steps of pruning and 300 epochs for all else. The rest is from the authors'
code, https://github.com/ChristopherSweeney/SlimNets: rates, their halving every 30 epochs, temperature, and the weights
of labels and teacher. The code's mean over classes divides the teacher's weight by ten. For students the code's rate is
.1, if the command line gives no other; here it is .05, as for pairs of low rank: at .1 SNN loses all gradients.

Students have no BN: NIN and AlexNet begin slowly. Below the published scale students learn by AdamW, and longer. The
small students stand for the paper's by size alone: SNN and CNN need images of 14 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from compress.distill import KD
from compress.lowrank import SVD
from compress.models import Model
from compress.pruning import Cubic, L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Recovery, Train
from compress.training.settings import Training
from spaces.papers.paper import FIRST, LAST, Cell, Claim, Curves, Paper, Picture, Steps, Table
from spaces.space import Space, Trial, Value

SOURCE = "https://arxiv.org/abs/1808.00496"
VGG = "VGG19"
TARGETS = {"40%": 0.4, "75%": 0.75, "87.5%": 0.875}
STUDENTS = ("SNN-1k", "SNN-10k", "CNN-1k", "CNN-10k", "AlexNet", "NIN")
BEST = "NIN"
"""The student that is pruned."""
GRADUAL, AT_ONCE = "gradual", "at once"
ALONE, WITH_KD = "alone", "with KD"
RANKS = (5, 24, 48, 48, 64, 128, 128, 160, 192, 256, 320, 320, 320, 320, 320, 320)
"""Ranks of the sixteen convolutions, from the paper's table."""


@dataclass(frozen=True)
class Scale:
    """The teacher, the students by the paper's names, the ranks, and the trainings; `learning` is the students'.

    Gradual pruning has `cuts` cuts with the training `after_a_cut`; pruning at once has the training `after_all`, of
    as many epochs in all.
    """

    teacher: Model
    students: Mapping[str, Model]
    ranks: tuple[float, ...]
    schooling: Training
    learning: Training
    cuts: int
    after_a_cut: Training
    after_all: Training


_SCHOOLING = Training(epochs=300, lr=0.05, decay="step", drops=tuple(n / 10 for n in range(1, 10)), factor=0.5)
PUBLISHED = Scale(
    Model("vgg19"),
    {name: Model(name.lower()) for name in STUDENTS},
    RANKS,
    _SCHOOLING,
    _SCHOOLING,
    cuts=20,
    after_a_cut=Training(epochs=14, lr=0.0001, weight_decay=0.0, decay="constant"),
    after_all=Training(epochs=280, lr=0.0001, weight_decay=0.0, decay="constant"),
)
MEDIUM = Scale(
    Model("vgg19", 0.25),
    {
        **{name: Model(name.lower(), 0.25) for name in STUDENTS if name.startswith(("SNN", "CNN"))},
        "AlexNet": Model("alexnet", 0.25),
        "NIN": Model("nin", 0.25),
    },
    (RANKS[0], *(rank // 4 for rank in RANKS[1:])),
    Training(epochs=20, lr=0.05),
    Training(epochs=40, lr=0.002, batch_size=64, optimizer="adamw"),
    cuts=8,
    after_a_cut=Training(epochs=1, lr=0.02, decay="constant"),
    after_all=Training(epochs=8, lr=0.02, decay="constant"),
)
SMALL = Scale(
    Model("vgg8", 0.25),
    {
        "SNN-1k": Model("cnn", 0.375),
        "SNN-10k": Model("cnn", 0.75),
        "CNN-1k": Model("vgg8", 0.0625),
        "CNN-10k": Model("vgg8", 0.125),
        "AlexNet": Model("alexnet", 0.25),
        "NIN": Model("nin", 0.25),
    },
    (0.56, 0.25, 0.17, 0.25, 0.21),
    Training(epochs=25, lr=0.05),
    Training(epochs=80, lr=0.003, batch_size=32, optimizer="adamw"),
    cuts=8,
    after_a_cut=Training(epochs=2, lr=0.02, decay="constant"),
    after_all=Training(epochs=16, lr=0.02, decay="constant"),
)
"""The small ranks have the paper's shares of the full ranks, block by block; so have the medium, layer by layer."""


_KD = KD(0.3, 0.14, 20.0)


def build(trial: Trial, task: str, seed: int, *, scale: Scale) -> Recipe:
    """Ask for the part of the study, then for its own choices."""
    part = trial.suggest_categorical("part", ("pruning", "low rank", "distillation", "combination"))
    trained = Train(scale.schooling)
    if part == "low rank":
        pairs = Factorize(SVD(ranks=scale.ranks, batch_norm=True), None, None, Recovery(scale.schooling))
        return Recipe(task, scale.teacher, (trained, pairs), seed=seed)
    if part == "pruning":
        way = str(trial.suggest_categorical("way", (GRADUAL, AT_ONCE)))
        return Recipe(task, scale.teacher, (trained, _pruned(trial, scale, way)), seed=seed)
    taught = Distill(_KD, scale.learning)
    if part == "combination":
        stages = (taught, _pruned(trial, scale, GRADUAL))
        return Recipe(task, scale.students[BEST], stages, scale.teacher, scale.schooling, seed)
    student = scale.students[str(trial.suggest_categorical("student", STUDENTS))]
    if trial.suggest_categorical("taught", (ALONE, WITH_KD)) == ALONE:
        return Recipe(task, student, (Train(scale.learning),), seed=seed)
    return Recipe(task, student, (taught,), scale.teacher, scale.schooling, seed)


def _pruned(trial: Trial, scale: Scale, way: str) -> Prune:
    target = TARGETS[str(trial.suggest_categorical("target", tuple(TARGETS)))]
    by_layer = L1Unstructured(scope="layer")
    if way == AT_ONCE:
        return Prune(by_layer, target, OneShot(), Recovery(scale.after_all))
    return Prune(by_layer, target, Cubic(scale.cuts), Recovery(scale.after_a_cut))


def _pruning(way: str, target: str) -> dict[str, Value]:
    return {"part": "pruning", "way": way, "target": target}


def _student(name: str, taught: str) -> dict[str, Value]:
    return {"part": "distillation", "student": name, "taught": taught}


def _combination(target: str) -> dict[str, Value]:
    return {"part": "combination", "target": target}


_LOW_RANK: dict[str, Value] = {"part": "low rank"}
_WHOLE = Cell(_pruning(GRADUAL, "40%"), FIRST)


def _of_whole(choices: Mapping[str, Value], figure: str = "nonzero_params") -> Cell:
    whole = Cell(_WHOLE.choices, FIRST, figure)
    return Cell(choices, LAST, figure, of=whole, by="rate")


def tables(task: str) -> tuple[Table, ...]:
    """Return the paper's five tables, which have no numbers."""
    best = {
        "pruning": _pruning(GRADUAL, "75%"),
        "low rank": _LOW_RANK,
        "knowledge distillation": _student(BEST, WITH_KD),
    }
    return (
        Table(
            "Pruning",
            "Accuracy of VGG19 pruned gradually or at once",
            {(way, target): Cell(_pruning(way, target)) for way in (GRADUAL, AT_ONCE) for target in TARGETS},
        ),
        Table(
            "Low rank",
            "VGG19 with its own weights and in pairs of low rank",
            {
                (row, column): Cell(choices, at, figure)
                for row, choices, at in ((VGG, _WHOLE.choices, FIRST), ("low rank", _LOW_RANK, LAST))
                for column, figure in (
                    ("accuracy", "test"),
                    ("bytes", "size_bytes"),
                    ("milliseconds of 64 images", "ms@64"),
                )
            },
            {(row, "bytes"): ("Low rank", row, "MB") for row in (VGG, "low rank")},
        ),
        Table(
            "Knowledge distillation",
            "Parameters and accuracy of students without and with VGG19 as teacher",
            {
                (VGG, "params"): Cell(_WHOLE.choices, FIRST, "params"),
                (VGG, ALONE): _WHOLE,
                **{
                    (name, column): Cell(_student(name, taught), LAST, figure)
                    for name in STUDENTS
                    for column, taught, figure in (
                        ("params", ALONE, "params"),
                        (ALONE, ALONE, "test"),
                        (WITH_KD, WITH_KD, "test"),
                    )
                },
            },
        ),
        Table(
            "Comparison",
            "The best model of each method: size, accuracy, speed",
            {
                (row, column): cell
                for row, choices in best.items()
                for column, cell in (
                    ("compression rate", _of_whole(choices)),
                    ("accuracy", Cell(choices)),
                    ("times as fast", _of_whole(choices, "ms@64")),
                )
            },
        ),
        Table(
            "Combination",
            "The distilled NIN, pruned gradually",
            {
                (row, target): cell
                for target in reversed(TARGETS)
                for row, cell in (
                    ("accuracy", Cell(_combination(target))),
                    ("compression rate", _of_whole(_combination(target))),
                )
            },
        ),
    )


def claims(task: str) -> tuple[Claim, ...]:
    """Return the paper's claims on gradual pruning, on distillation, and on their combination."""
    combined = Cell(_combination("75%"))
    return (
        Claim(
            "Gradual pruning beats pruning at once at every sparsity.",
            [(Cell(_pruning(GRADUAL, target)), Cell(_pruning(AT_ONCE, target))) for target in TARGETS],
        ),
        Claim(
            "Every student is more accurate with VGG19 as teacher.",
            [(Cell(_student(name, WITH_KD)), Cell(_student(name, ALONE))) for name in STUDENTS],
        ),
        Claim("VGG19 of low rank is no less accurate than VGG19.", [(Cell(_LOW_RANK), _WHOLE)]),
        Claim(
            "NIN, distilled and pruned to 75 %, beats the distilled students SNN and CNN, which are larger.",
            [(combined, Cell(_student(name, WITH_KD))) for name in ("SNN-1k", "SNN-10k", "CNN-1k", "CNN-10k")],
        ),
        Claim(
            "NIN, distilled and pruned to 75 %, keeps 97 % of VGG19's accuracy.",
            [(combined, _WHOLE)],
            margin=0.03,
        ),
    )


def pictures(task: str) -> tuple[Picture, ...]:
    """Return Figures 2 and 3: sparsity and loss over the epochs of gradual pruning."""
    return (
        Steps("Figure 2", "Sparsity and loss of VGG19, pruned gradually", {t: _pruning(GRADUAL, t) for t in TARGETS}),
        Steps(
            "Figure 3",
            "Sparsity and loss of the distilled NIN, pruned gradually",
            {t: _combination(t) for t in TARGETS},
        ),
        Curves(
            "Accuracy by size",
            "Gradual pruning of VGG19 and of the distilled NIN",
            {VGG: _pruning(GRADUAL, "87.5%"), BEST: _combination("87.5%")},
        ),
    )


def _space(scale: Scale) -> Space:
    return Space("slimnets2018", partial(build, scale=scale), scale.teacher, SOURCE, schooling=scale.schooling)


SLIMNETS2018 = Paper(
    "slimnets2018",
    "Sweeney, Olubeko & Oguntola 2018, SlimNets: an exploration of deep model compression and acceleration",
    SOURCE,
    ("cifar10", "digits"),
    {"published": _space(PUBLISHED), "medium": _space(MEDIUM), "small": _space(SMALL)},
    tables,
    claims,
    pictures,
)
