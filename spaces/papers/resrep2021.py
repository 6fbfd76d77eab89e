"""ResRep, Ding et al. 2021, https://arxiv.org/abs/2007.03260: lossless pruning by remembering and forgetting apart.

ResNet-56 and ResNet-110 lose a share of their FLOPs by ResRep: the paper's share, and a deeper. Beside are the same cut
by filters of small L1 norm at once, and by the penalty alone: compactors under the same lasso, with the task's gradient
kept for every row. In a short training the penalty brings no row near zero, and nothing trains after the cut.

Training, masks and lasso of the published scale are the paper's: 480 epochs of batches of 64, from a learning rate of
.01 along a cosine. The training before is not known here, and is this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from compress.models import Model
from compress.pruning import L1Filter, OneShot, ResRep
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from spaces.papers.paper import FIRST, LAST, Cell, Claim, Layers, Paper, Picture, Steps, Table
from spaces.space import ANYWHERE, Space, Trial, Value

SOURCE = "https://arxiv.org/abs/2007.03260"
PUBLISHED_SHARES = {"ResNet56": 0.529, "ResNet110": 0.582}
"""FLOPs gone, by the paper."""
RESREP, L1, PENALTY = "ResRep", "L1 at once", "penalty"
METHODS = (RESREP, L1, PENALTY)
SHARES = ("published", "deeper")
DEEPER = 0.7


@dataclass(frozen=True)
class Scale:
    """The networks by the paper's names, ResRep's settings, and the trainings."""

    networks: Mapping[str, Model]
    resrep: ResRep
    schooling: Training
    recovery: Training


PUBLISHED = Scale(
    {"ResNet56": Model("resnet56"), "ResNet110": Model("resnet110")},
    ResRep(),
    Training(epochs=200),
    Training(epochs=480, lr=0.01, batch_size=64),
)
MEDIUM = Scale(
    {"ResNet56": Model("resnet56", 0.25), "ResNet110": Model("resnet110", 0.25)},
    ResRep(**ANYWHERE["resrep"]),  # type: ignore[arg-type]
    Training(epochs=20),
    Training(epochs=12, lr=0.02),
)
SMALL = Scale(
    {"ResNet56": Model("resnet20", 0.5), "ResNet110": Model("resnet32", 0.5)},
    ResRep(**ANYWHERE["resrep"]),  # type: ignore[arg-type]
    Training(epochs=30),
    Training(epochs=20, lr=0.02),
)


def build(trial: Trial, task: str, seed: int, *, scale: Scale) -> Recipe:
    """Ask for network, method, and share of FLOPs."""
    name = str(trial.suggest_categorical("network", tuple(PUBLISHED_SHARES)))
    method = str(trial.suggest_categorical("method", METHODS))
    share = PUBLISHED_SHARES[name] if trial.suggest_categorical("share", SHARES) == "published" else DEEPER
    pruner = {
        RESREP: scale.resrep,
        L1: L1Filter(spare_shortcuts=True),
        PENALTY: replace(scale.resrep, reset=False),
    }[method]
    cut = Prune(pruner, share, OneShot(), Recovery(scale.recovery), measure="flops")
    return Recipe(task, scale.networks[name], (Train(scale.schooling), cut), seed=seed)


def _choices(network: str, method: str, share: str = "published") -> dict[str, Value]:
    return {"network": network, "method": method, "share": share}


def tables(task: str) -> tuple[Table, ...]:
    """Return the table of accuracies and FLOPs, by network, method and share."""
    cells = {}
    for network in PUBLISHED_SHARES:
        for share in SHARES:
            for method in METHODS:
                choices = _choices(network, method, share)
                row = f"{network} {method}" + ("" if share == "published" else ", deeper")
                whole = Cell(choices, FIRST, "flops")
                cells[(row, "before")] = Cell(choices, FIRST)
                cells[(row, "after")] = Cell(choices, LAST)
                cells[(row, "FLOPs gone")] = Cell(choices, LAST, "flops", of=whole, by="decrease")
                cells[(row, "params")] = Cell(choices, LAST, "params")
    columns = {"before": "baseline accuracy", "after": "accuracy", "FLOPs gone": "FLOPs cut"}
    known = {(f"{n} {RESREP}", ours): ("Text", n, theirs) for n in PUBLISHED_SHARES for ours, theirs in columns.items()}
    return (Table("CIFAR-10", "Accuracy before and after pruning, and FLOPs gone", cells, known),)


def claims(task: str) -> tuple[Claim, ...]:
    """Return the paper's claims: no loss, and better than the penalty."""

    def against(other: str) -> list[tuple[Cell, Cell]]:
        return [
            (Cell(_choices(network, RESREP, share)), Cell(_choices(network, other, share)))
            for network in PUBLISHED_SHARES
            for share in SHARES
        ]

    return (
        Claim(
            "ResRep loses nothing at the published shares, within half a point.",
            [(Cell(_choices(n, RESREP), LAST), Cell(_choices(n, RESREP), FIRST)) for n in PUBLISHED_SHARES],
            margin=0.005,
        ),
        Claim("ResRep is better than the penalty alone.", against(PENALTY)),
        Claim("ResRep is better than the L1 norm at once.", against(L1)),
    )


def pictures(task: str) -> tuple[Picture, ...]:
    """Return the rows masked over the epochs, and the channels left."""
    found: list[Picture] = []
    for network in PUBLISHED_SHARES:
        lines = {method: _choices(network, method) for method in (RESREP, PENALTY)}
        models = {"before": Cell(lines[RESREP], FIRST), "after": Cell(lines[RESREP], LAST)}
        found += [
            Steps(f"Rows of {network}", "Rows masked and loss over the epochs", lines, ("masked", "loss")),
            Layers(f"Layers of {network}", "Channels left by ResRep", models),
        ]
    return tuple(found)


def _space(scale: Scale) -> Space:
    return Space(
        "resrep2021", partial(build, scale=scale), scale.networks["ResNet110"], SOURCE, schooling=scale.schooling
    )


RESREP2021 = Paper(
    "resrep2021",
    "Ding et al. 2021, ResRep: lossless CNN pruning via decoupling remembering and forgetting",
    SOURCE,
    ("cifar10", "digits"),
    {"published": _space(PUBLISHED), "medium": _space(MEDIUM), "small": _space(SMALL)},
    tables,
    claims,
    pictures,
)
