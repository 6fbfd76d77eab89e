"""Aghli & Ribeiro 2021, Combining Weight Pruning and Knowledge Distillation For CNN Compression, as a space.

Rounds of pruning remove the channels inside residual branches with mostly zero activations, until the accuracy falls by
more than a tolerance. Then a network of the same layers with narrower shortcuts, a half to a thirty-second as in the
paper's regression, learns by cosine distillation from the pruned network.
"""

from __future__ import annotations

from compress.distill import Cosine
from compress.models import Model
from compress.pruning import APoZRounds
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stages import Narrow, Prune, Quantize, Recovery, Stage, Train
from compress.training.settings import Training
from spaces.space import Space, Trial, Value, chosen, effort, schooling

NETWORKS = {"resnet20": Model("resnet20"), "resnet20 x0.5": Model("resnet20", 0.5), "resnet32": Model("resnet32")}
WIDTHS = (0.5, 0.25, 0.125, 0.03125)
TOLERANCES = (0.005, 0.01, 0.02, 0.05)
DEVIATIONS = (0.5, 1.0)
LAM = (0.1, 0.5, 0.9)


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Ask for a network, the pruning and its tolerance, the distillation, the width of the shortcuts, and int8."""
    network = NETWORKS[str(trial.suggest_categorical("network", tuple(NETWORKS)))]
    pruner = APoZRounds(
        deviations=float(trial.suggest_categorical("deviations", DEVIATIONS)),
        tolerance=float(trial.suggest_categorical("tolerance", TOLERANCES)),
    )
    tuning = Training(epochs=effort(task).recovery, lr=float(trial.suggest_categorical("lr", (0.02, 0.05))))
    student = Narrow(
        Cosine(lam=float(trial.suggest_categorical("lam", LAM))),
        float(trial.suggest_categorical("width", WIDTHS)),
        schooling(task),
    )
    stages: list[Stage] = [Train(schooling(task)), Prune(pruner, recovery=Recovery(tuning)), student]
    if trial.suggest_categorical("int8", (False, True)):
        stages.append(Quantize(chosen(QUANTIZERS, "int8")))
    return Recipe(task, network, tuple(stages), seed=seed)


BEGINNINGS: tuple[dict[str, Value], ...] = (
    {
        "network": "resnet20",
        "deviations": 1.0,
        "tolerance": 0.01,
        "lr": 0.02,
        "lam": 0.5,
        "width": 0.5,
        "int8": False,
    },
)

AGHLI2021 = Space("aghli2021", build, Model("resnet32"), Cosine.source, BEGINNINGS)
