"""Play and Prune, Singh et al. 2019, https://arxiv.org/abs/1905.04446: adaptive filter pruning under a tolerated error.

VGG16 and ResNet-56 lose filters as long as the accuracy stays within a tolerance, which is swept. PP-1 and PP-2 are the
networks after 34 and 62 epochs. Beside is the removal of the smallest filters at once, for as many FLOPs, and the
speed-up that is measured for images in batches. The tolerances of the sweep are this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from compress.models import Model
from compress.pruning import L1Filter, OneShot, PlayAndPrune
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from spaces.papers.paper import BEFORE_LAST, FIRST, LAST, Cell, Claim, Curves, Layers, Paper, Picture, Table
from spaces.space import Space, Trial, Value

SOURCE = "https://arxiv.org/abs/1905.04446"
NETWORKS = ("VGG16", "ResNet56")
TOLERANCES = {"0.5%": 0.005, "1%": 0.01, "2%": 0.02, "5%": 0.05}
MAIN = "1%"
PLAY, AT_ONCE = "play and prune", "at once"
BATCHES = (1, 8, 64, 512)
STEP = 0.05
"""Share of FLOPs from one level of the cut at once to the next."""


@dataclass(frozen=True)
class Scale:
    """The networks by the paper's names, and the trainings; a round is a training, PP-1 the first.

    `deepest` is the share of FLOPs of the deepest cut at once. Channels at shortcuts stay: the narrower the network,
    the larger their share.
    """

    networks: Mapping[str, Model]
    schooling: Training
    a_round: Training
    at_once: Training
    deepest: float


PUBLISHED = Scale(
    {"VGG16": Model("vgg16"), "ResNet56": Model("resnet56")},
    Training(epochs=200),
    Training(epochs=31, lr=0.02),
    Training(epochs=62, lr=0.02),
    0.95,
)
MEDIUM = Scale(
    {"VGG16": Model("vgg16", 0.25), "ResNet56": Model("resnet56", 0.5)},
    Training(epochs=20),
    Training(epochs=8, lr=0.02),
    Training(epochs=2, lr=0.02),
    0.9,
)
SMALL = Scale(
    {"VGG16": Model("vgg8", 0.25), "ResNet56": Model("resnet20", 0.5)},
    Training(epochs=30),
    Training(epochs=8, lr=0.02),
    Training(epochs=2, lr=0.02),
    0.85,
)


def build(trial: Trial, task: str, seed: int, *, scale: Scale) -> Recipe:
    """Ask for network, method, and the tolerated error of play and prune."""
    network = scale.networks[str(trial.suggest_categorical("network", NETWORKS))]
    if trial.suggest_categorical("method", (PLAY, AT_ONCE)) == AT_ONCE:
        pruner = L1Filter(spare_shortcuts=True)
        levels = OneShot(round(scale.deepest / STEP))
        cut = Prune(pruner, scale.deepest, levels, Recovery(scale.at_once), measure="flops")
    else:
        tolerance = TOLERANCES[str(trial.suggest_categorical("tolerance", tuple(TOLERANCES)))]
        cut = Prune(PlayAndPrune(tolerance=tolerance, rounds=2), recovery=Recovery(scale.a_round))
    return Recipe(task, network, (Train(scale.schooling), cut), seed=seed)


def _played(network: str, tolerance: str = MAIN) -> dict[str, Value]:
    return {"network": network, "method": PLAY, "tolerance": tolerance}


def _at_once(network: str) -> dict[str, Value]:
    return {"network": network, "method": AT_ONCE}


def tables(task: str) -> tuple[Table, ...]:
    """Return the sweep of tolerances, the cut at once for as many FLOPs, and the speed-up by batch."""
    sweep, once, speed = {}, {}, {}
    for network in NETWORKS:
        whole = Cell(_played(network), FIRST, "flops")
        for tolerance in TOLERANCES:
            row, choices = f"{network}, {tolerance}", _played(network, tolerance)
            sweep[(row, "unpruned")] = Cell(choices, FIRST)
            sweep[(row, "pruned")] = Cell(choices, LAST)
            sweep[(row, "FLOPs gone")] = Cell(choices, LAST, "flops", of=whole, by="decrease")
            sweep[(row, "params")] = Cell(choices, LAST, "params")
        main = Cell(_played(network), LAST)
        same = Cell(_at_once(network), within=main)
        once[(network, PLAY)], once[(network, AT_ONCE)] = main, same
        once[(network, "lost at once")] = Cell(_at_once(network), FIRST, of=same)
        once[(network, "FLOPs gone at once")] = Cell(
            _at_once(network), figure="flops", within=main, of=whole, by="decrease"
        )
        speed[(network, "theoretical")] = Cell(_played(network), LAST, "flops", of=whole, by="rate")
        for batch in BATCHES:
            timed = Cell(_played(network), FIRST, f"ms@{batch}")
            speed[(network, f"batch {batch}")] = Cell(_played(network), LAST, f"ms@{batch}", of=timed, by="rate")
    return (
        Table("Sweep", "Accuracy and FLOPs by tolerated error", sweep),
        Table(
            "At once",
            "Accuracy of the same FLOPs cut at once",
            once,
            {
                ("VGG16", "FLOPs gone at once"): ("Text", "one-shot", "FLOPs cut"),
                ("VGG16", "lost at once"): ("Text", "one-shot", "accuracy drop"),
            },
        ),
        Table(
            "Figure 14",
            "Speed-up, theoretical and measured, by images in a batch",
            speed,
            {
                ("VGG16", "theoretical"): ("Text", "theoretical speed-up", "batch 512"),
                ("VGG16", "batch 512"): ("Text", "CPU speed-up", "batch 512"),
            },
        ),
    )


def claims(task: str) -> tuple[Claim, ...]:
    """Return the paper's claims on the tolerance, on pruning at once, and on speed."""
    main = {network: Cell(_played(network), LAST) for network in NETWORKS}
    return (
        Claim(
            "Play and prune loses no more than the tolerated error on test images, within half a point.",
            [
                (Cell(choices, LAST, of=Cell(choices, FIRST)), -tolerance)
                for network in NETWORKS
                for name, tolerance in TOLERANCES.items()
                for choices in [_played(network, name)]
            ],
            margin=0.005,
        ),
        Claim(
            "The same FLOPs cut at once cost more accuracy.",
            [(cell, Cell(_at_once(network), within=cell)) for network, cell in main.items()],
        ),
        Claim(
            "The measured speed-up at batch 512 stays below the theoretical.",
            [
                (
                    Cell(_played(n), LAST, "flops", of=Cell(_played(n), FIRST, "flops"), by="rate"),
                    Cell(_played(n), LAST, "ms@512", of=Cell(_played(n), FIRST, "ms@512"), by="rate"),
                )
                for n in NETWORKS
            ],
        ),
    )


def pictures(task: str) -> tuple[Picture, ...]:
    """Return the filters left by layer in PP-1 and PP-2, and accuracy by FLOPs."""
    return (
        *(
            Layers(
                "Table 1" if network == "VGG16" else f"Layers of {network}",
                f"Filters of {network} left in PP-1 and PP-2",
                {
                    "unpruned": Cell(_played(network), FIRST),
                    "PP-1": Cell(_played(network), BEFORE_LAST),
                    "PP-2": Cell(_played(network), LAST),
                },
            )
            for network in NETWORKS
        ),
        Curves(
            "Accuracy by FLOPs",
            "Play and prune at each tolerance, and the cut at once",
            {
                **{f"{n}, {name}": _played(n, name) for n in NETWORKS for name in TOLERANCES},
                **{f"{n}, {AT_ONCE}": _at_once(n) for n in NETWORKS},
            },
            "flops",
        ),
    )


def _space(scale: Scale) -> Space:
    return Space("singh2019", partial(build, scale=scale), scale.networks["VGG16"], SOURCE, schooling=scale.schooling)


SINGH2019 = Paper(
    "singh2019",
    "Singh et al. 2019, Play and Prune: adaptive filter pruning for deep model compression",
    SOURCE,
    ("cifar10", "digits"),
    {"published": _space(PUBLISHED), "medium": _space(MEDIUM), "small": _space(SMALL)},
    tables,
    claims,
    pictures,
)
