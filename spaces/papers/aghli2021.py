"""Aghli & Ribeiro 2021, Combining Weight Pruning and Knowledge Distillation For CNN Compression.

A network loses channels inside its residual branches, by the share of zeros (APoZ), in rounds until the accuracy falls.
Then a student of the same layers, with a share of the channels that shortcuts fix, learns from the pruned network by
cosine distance. The same student learns without a teacher for comparison. ResNet-110 and ResNet-164 classify, six
rounds and half the channels; ResNet-50 estimates head poses, sixteen rounds and a thirty-second.

Learning rates, epochs, batch sizes, the tolerated loss and lambda are not known here: the values are this
project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from compress.data.few_images import split_name
from compress.distill import Cosine
from compress.models import Model
from compress.pruning import APoZRounds
from compress.recipe import Recipe
from compress.stages import Narrow, Prune, Recovery, Train
from compress.training.settings import Training
from spaces.papers.paper import BEFORE_LAST, FIRST, LAST, Cell, Claim, Curves, Layers, Paper, Picture, Table
from spaces.space import Space, Trial, Value

SOURCE = Cosine.source
CLASSIFIERS, REGRESSORS = ("ResNet110", "ResNet164"), ("ResNet50",)
REGRESSION = ("digits-angle",)
"""Tasks known to be regressions; a task of a user's own may be either, and gets all networks."""
CLASSIFICATION = ("digits", "cifar10", "cifar100", "fashion-mnist")
TAUGHT, SCRATCH = "taught", "from scratch"
CORRUPTIONS = ("motion-blur", "occlusion", "brightness")
BATCHES = (1, 64)


@dataclass(frozen=True)
class Network:
    """A network, its rounds of pruning, and the share of channels kept at its shortcuts."""

    model: Model
    rounds: int
    width: float


@dataclass(frozen=True)
class Scale:
    """The networks by the paper's names, the tolerated loss of a round, and the trainings."""

    networks: Mapping[str, Network]
    tolerance: float
    schooling: Training
    tuning: Training
    beta: float = 1.0


PUBLISHED = Scale(
    {
        "ResNet110": Network(Model("resnet110"), 6, 0.5),
        "ResNet164": Network(Model("resnet164"), 6, 0.5),
        "ResNet50": Network(Model("resnet50"), 16, 1 / 32),
    },
    0.02,
    Training(epochs=200),
    Training(epochs=20, lr=0.01),
)
MEDIUM = Scale(
    {
        "ResNet110": Network(Model("resnet56", 0.375), 6, 0.5),
        "ResNet164": Network(Model("resnet110", 0.375), 6, 0.5),
        "ResNet50": Network(Model("resnet32"), 16, 1 / 8),
    },
    0.02,
    Training(epochs=20),
    Training(epochs=2, lr=0.02),
)
SMALL = Scale(
    {
        "ResNet110": Network(Model("resnet20", 0.5), 6, 0.5),
        "ResNet164": Network(Model("resnet32", 0.5), 6, 0.5),
        "ResNet50": Network(Model("resnet20"), 16, 1 / 8),
    },
    0.02,
    Training(epochs=30),
    Training(epochs=5, lr=0.02),
    beta=4.0,
)
"""A thirty-second of the small network's sixteen channels would leave none: an eighth leaves two."""


def networks_of(task: str) -> tuple[str, ...]:
    """Return the networks of a task: the classifiers, the regressor, or all for a task of unknown kind."""
    whole = split_name(task)[1]
    if whole in REGRESSION:
        return REGRESSORS
    return CLASSIFIERS if whole in CLASSIFICATION else (*CLASSIFIERS, *REGRESSORS)


def build(trial: Trial, task: str, seed: int, *, scale: Scale) -> Recipe:
    """Ask for the network, and how its student learns."""
    network = scale.networks[str(trial.suggest_categorical("network", networks_of(task)))]
    taught = trial.suggest_categorical("student", (TAUGHT, SCRATCH)) == TAUGHT
    pruner = APoZRounds(tolerance=scale.tolerance, rounds=network.rounds)
    student = Narrow(Cosine(beta=scale.beta) if taught else None, network.width, scale.schooling)
    stages = (Train(scale.schooling), Prune(pruner, recovery=Recovery(scale.tuning)), student)
    return Recipe(task, network.model, stages, seed=seed)


def _choices(network: str, student: str = TAUGHT) -> dict[str, Value]:
    return {"network": network, "student": student}


def _models(network: str, figure: str = "test") -> dict[str, Cell]:
    """Return the four models of a network: baseline, pruned, and both students."""
    return {
        "baseline": Cell(_choices(network), FIRST, figure),
        "pruned": Cell(_choices(network), BEFORE_LAST, figure),
        "student": Cell(_choices(network), LAST, figure),
        "student from scratch": Cell(_choices(network, SCRATCH), LAST, figure),
    }


def tables(task: str) -> tuple[Table, ...]:
    """Return the tables on quality and size, on robustness, and on inference time."""
    names, is_known_regression = networks_of(task), split_name(task)[1] in REGRESSION

    known = {(model, "ResNet50 quality"): ("Table 1", model, "MAE") for model in ("baseline", "student")}

    def table(number: str, title: str, figures: Mapping[str, str]) -> Table:
        return Table(
            number,
            title,
            {
                (model, f"{name} {column}"): cell
                for name in names
                for column, figure in figures.items()
                for model, cell in _models(name, figure).items()
            },
            known if "quality" in figures else {},
        )

    corrupted = {"clean": "test", **{name: f"test@{name}" for name in CORRUPTIONS}}
    times = {f"batch {batch}": f"ms@{batch}" for batch in BATCHES}
    return (
        table(
            "Table 1" if is_known_regression else "Table 3",
            "Quality and size of baseline, pruned network, and students",
            {"quality": "test", "params": "params", "FLOPs": "flops"},
        ),
        table("Table 2", "Quality on corrupted test images", corrupted),
        table("Table 5" if is_known_regression else "Table 6", "Inference time in ms", times),
    )


def claims(task: str) -> tuple[Claim, ...]:
    """Return the paper's claims on the student, its teacher, and its size."""
    names = networks_of(task)
    return (
        Claim(
            "The taught student is better than the same student from scratch.",
            [(_models(name)["student"], _models(name)["student from scratch"]) for name in names],
        ),
        Claim(
            "The student loses about a point against the baseline.",
            [(_models(name)["student"], _models(name)["baseline"]) for name in names],
            margin=0.015,
        ),
        Claim(
            "The student has fewer parameters than the pruned network, which has fewer than the baseline.",
            [
                pair
                for name in names
                for sizes in [_models(name, "params")]
                for pair in ((sizes["pruned"], sizes["student"]), (sizes["baseline"], sizes["pruned"]))
            ],
        ),
        Claim(
            "The student is more robust than the student from scratch.",
            [
                (_models(name, f"test@{one}")["student"], _models(name, f"test@{one}")["student from scratch"])
                for name in names
                for one in CORRUPTIONS
            ],
        ),
    )


def pictures(task: str) -> tuple[Picture, ...]:
    """Return Figure 4, channels by layer and round, and Figure 5, the architectures."""
    found: list[Picture] = []
    for name in networks_of(task):
        models = _models(name)
        pruned = {row: models[row] for row in ("baseline", "pruned")}
        found += [
            Layers(f"Figure 4, {name}", "Channels before and after the rounds", pruned),
            Layers(f"Figure 5, {name}", "Channels from baseline to student", {**pruned, "student": models["student"]}),
            Curves(f"Rounds of {name}", "Quality by parameters, round by round", {name: _choices(name)}, "params"),
        ]
    return tuple(found)


def _space(scale: Scale) -> Space:
    regressor, classifier = (scale.networks[names[-1]].model for names in (REGRESSORS, CLASSIFIERS))
    return Space(
        "aghli2021",
        partial(build, scale=scale),
        regressor,
        SOURCE,
        schooling=scale.schooling,
        teachers_by_task=dict.fromkeys(CLASSIFICATION, classifier),
    )


AGHLI2021 = Paper(
    "aghli2021",
    "Aghli & Ribeiro 2021, Combining weight pruning and knowledge distillation for CNN compression",
    SOURCE,
    ("cifar10", "digits", "digits-angle"),
    {"published": _space(PUBLISHED), "medium": _space(MEDIUM), "small": _space(SMALL)},
    tables,
    claims,
    pictures,
)
