"""Chen et al. 2021, https://doi.org/10.1007/s40747-020-00248-y: a pruned network, restored by distillation.

A trained network loses its smallest weights, at once or by a constant factor every few epochs, and recovers by
fine-tuning on labels (FT) or by distillation: KD, AT, SP. The teacher is the unpruned network, or ResNet50.

Equation 5 of the paper weighs the labels by alpha, and alpha is .9; the authors' sources weigh the teacher by .9. The
equation is followed. The paper halves the learning rate every 40 epochs of the retraining. In the iterative study every
cut begins a retraining of five epochs of its own, at the first rate. The batch size is not given; 64 is that of the
networks' source, RepDistiller (https://arxiv.org/abs/1910.10699), as is the training before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from compress.distill import AT, KD, SP, Distiller
from compress.models import Model
from compress.pruning import Exponential, L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from spaces.papers.paper import FIRST, PLAIN, Cell, Claim, Curves, Maps, Paper, Picture, Table
from spaces.space import Space, Trial, Value

SOURCE = "https://doi.org/10.1007/s40747-020-00248-y"
NETWORKS = ("ResNet32x4", "VGG13", "WRN-40-2")
TARGETS = {"90%": 0.9, "95%": 0.95, "97.5%": 0.975}
FT = "FT"
METHODS: dict[str, Distiller | None] = {
    FT: None,
    "KD": KD(0.9, 0.1, 4.0),
    "AT": AT(beta=100.0, distance="norm"),
    "SP": SP(beta=1000.0),
}
ORIGINAL, OTHER = "ResNet32x4", "ResNet50"
"""The teachers of the iterative study, by the labels of Table 4: the network itself, and another."""
FINAL = 0.95


@dataclass(frozen=True)
class Scale:
    """The networks by the paper's names, the trainings, and the cuts of the iterative study."""

    networks: Mapping[str, Model]
    schooling: Training
    retraining: Training
    after_a_cut: Training
    cuts: int


PUBLISHED = Scale(
    {
        "ResNet32x4": Model("resnet32x4"),
        "VGG13": Model("vgg13"),
        "WRN-40-2": Model("wrn-40-2"),
        OTHER: Model("resnet50"),
    },
    Training(epochs=240, lr=0.05, batch_size=64, decay="step", drops=(150 / 240, 180 / 240, 210 / 240)),
    Training(epochs=120, lr=0.001, batch_size=64, decay="step", drops=(40 / 120, 80 / 120), factor=0.5),
    Training(epochs=5, lr=0.001, batch_size=64, decay="constant"),
    cuts=30,
)
MEDIUM = Scale(
    {
        "ResNet32x4": Model("resnet32x4", 0.125),
        "VGG13": Model("vgg13", 0.25),
        "WRN-40-2": Model("wrn-40-2", 0.25),
        OTHER: Model("resnet164", 0.25),
    },
    Training(epochs=20),
    Training(epochs=6, lr=0.02, decay="step", drops=(1 / 3, 2 / 3), factor=0.5),
    Training(epochs=2, lr=0.02, decay="constant"),
    cuts=10,
)
SMALL = Scale(
    {
        "ResNet32x4": Model("resnet8x4", 0.125),
        "VGG13": Model("vgg8", 0.125),
        "WRN-40-2": Model("wrn-16-1", 0.5),
        OTHER: Model("resnet20", 0.5),
    },
    Training(epochs=30),
    Training(epochs=12, lr=0.02, decay="step", drops=(1 / 3, 2 / 3), factor=0.5),
    Training(epochs=2, lr=0.02, decay="constant"),
    cuts=10,
)


def build(trial: Trial, task: str, seed: int, *, scale: Scale) -> Recipe:
    """Ask for the part of the study, then for network, method, and sparsity or teacher."""
    study = trial.suggest_categorical("study", ("one-shot", "iterative"))
    method = str(trial.suggest_categorical("method", tuple(METHODS)))
    if study == "one-shot":
        network = scale.networks[str(trial.suggest_categorical("network", NETWORKS))]
        target = TARGETS[str(trial.suggest_categorical("target", tuple(TARGETS)))]
        recovery = Recovery(scale.retraining, distiller=METHODS[method])
        return Recipe(task, network, (Train(scale.schooling), Prune(_L1, target, OneShot(), recovery)), seed=seed)
    teacher, taught = None, ORIGINAL
    if method != FT:
        taught = str(trial.suggest_categorical("taught by", (ORIGINAL, OTHER)))
        teacher = scale.networks[OTHER] if taught == OTHER else None
    recovery = Recovery(
        scale.after_a_cut, distiller=METHODS[method], teacher="original" if teacher is None else "teacher"
    )
    cut = Prune(_L1, FINAL, Exponential(scale.cuts), recovery)
    schooling = None if teacher is None else scale.schooling
    return Recipe(task, scale.networks[ORIGINAL], (Train(scale.schooling), cut), teacher, schooling, seed)


_L1 = L1Unstructured()


def _one_shot(network: str, target: str, method: str) -> dict[str, Value]:
    return {"study": "one-shot", "method": method, "network": network, "target": target}


def _iterative(method: str, taught_by: str = ORIGINAL) -> dict[str, Value]:
    return {"study": "iterative", "method": method, **({} if method == FT else {"taught by": taught_by})}


_DISTILLED = tuple(name for name in METHODS if name != FT)


def tables(task: str) -> tuple[Table, ...]:
    """Return Tables 1 to 4."""
    unpruned = {name: Cell({"study": "one-shot", "network": name}, FIRST) for name in NETWORKS}
    return (
        Table(
            "Table 1",
            "Accuracy of the unpruned networks",
            {("baseline", name): cell for name, cell in unpruned.items()},
        ),
        Table(
            "Table 2",
            "Accuracy of networks pruned at once, then retrained by four methods",
            {
                (method, f"{network} {target}"): Cell(_one_shot(network, target, method))
                for network in NETWORKS
                for method in METHODS
                for target in TARGETS
            },
        ),
        Table(
            "Table 3",
            "Accuracy of the two teachers",
            {("baseline", ORIGINAL): unpruned[ORIGINAL], ("baseline", OTHER): PLAIN},
        ),
        Table(
            "Table 4",
            "Accuracy of ResNet32x4 pruned step by step, by teacher",
            {
                (method, teacher): Cell(_iterative(method, teacher))
                for method in _DISTILLED
                for teacher in (ORIGINAL, OTHER)
            },
        ),
    )


def claims(task: str) -> tuple[Claim, ...]:
    """Return the paper's claims on distillation, its teacher, and its limits."""

    def every(better: str, worse: str, targets: tuple[str, ...] = tuple(TARGETS)) -> list[tuple[Cell, Cell]]:
        return [
            (Cell(_one_shot(network, target, better)), Cell(_one_shot(network, target, worse)))
            for network in NETWORKS
            for target in targets
        ]

    return (
        *(Claim(f"{name} restores a network pruned at once better than FT.", every(name, FT)) for name in _DISTILLED),
        Claim(
            "Each distillation restores a network pruned step by step better than FT.",
            [(Cell(_iterative(name)), Cell(_iterative(FT))) for name in _DISTILLED],
        ),
        Claim(
            "The original network teaches better than ResNet50.",
            [(Cell(_iterative(name)), Cell(_iterative(name, OTHER))) for name in _DISTILLED],
        ),
        Claim(
            "AT and SP fall behind KD at 97.5 %.",
            [pair for name in ("AT", "SP") for pair in every("KD", name, ("97.5%",))],
        ),
    )


def pictures(task: str) -> tuple[Picture, ...]:
    """Return Figures 9, 11 and 12."""
    iterative = {name: _iterative(name) for name in METHODS}
    maps = {
        "original": Cell({"study": "one-shot", "network": "VGG13"}, FIRST),
        **{name: Cell(_one_shot("VGG13", "95%", name)) for name in METHODS},
    }
    return (
        Curves("Figure 9", "Sparsity after each cut of the iterative study", {FT: iterative[FT]}, "cut", "sparsity"),
        Curves("Figure 11", "Accuracy of networks pruned step by step", iterative, "cut", "test"),
        Maps("Figure 12", "Attention maps of the middle layer of VGG13 at 95 % sparsity", maps),
    )


def _space(scale: Scale) -> Space:
    return Space("chen2021", partial(build, scale=scale), scale.networks[OTHER], SOURCE, schooling=scale.schooling)


CHEN2021 = Paper(
    "chen2021",
    "Chen et al. 2021, Knowledge from the original network: restore a better pruned network with knowledge "
    "distillation",
    SOURCE,
    ("cifar100", "digits"),
    {"published": _space(PUBLISHED), "medium": _space(MEDIUM), "small": _space(SMALL)},
    tables,
    claims,
    pictures,
)
