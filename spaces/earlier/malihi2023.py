"""Malihi & Heidemann 2023 in small, https://doi.org/10.3390/bdcc7030154.

Distill a student, prune the student by L1 at once to 10, 20, ... 90 %, each time from the distilled network, and
fine-tune the classifier alone. The paper does so for eleven pairs of teacher and student; here the pair is a choice.
"""

from __future__ import annotations

from compress.distill import DISTILLERS
from compress.models import Model
from compress.pruning import L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery
from compress.training.settings import Training
from spaces.space import Space, Trial, distiller, effort, schooling

PAIRS = {
    "resnet20 > resnet20 x0.5": (Model("resnet20"), Model("resnet20", 0.5)),
    "resnet20 > resnet20 x0.25": (Model("resnet20"), Model("resnet20", 0.25)),
    "resnet20 > cnn": (Model("resnet20"), Model("cnn")),
    "resnet20 > cnn x0.5": (Model("resnet20"), Model("cnn", 0.5)),
    "cnn > cnn x0.5": (Model("cnn"), Model("cnn", 0.5)),
    "cnn > cnn x0.25": (Model("cnn"), Model("cnn", 0.25)),
}


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Ask for a pair of teacher and student, a distillation method, and the learning rate of the classifier."""
    teacher, student = PAIRS[str(trial.suggest_categorical("pair", tuple(PAIRS)))]
    method = distiller(trial.suggest_categorical("distiller", tuple(DISTILLERS)), task)
    rate = float(trial.suggest_categorical("lr", (0.01, 0.05)))
    tuning = Recovery(Training(epochs=effort(task).recovery, lr=rate), scope="classifier")
    stages = (Distill(method, schooling(task)), Prune(L1Unstructured(), 0.9, OneShot(9), tuning))
    return Recipe(task, student, stages, teacher, schooling(task), seed)


MALIHI2023 = Space("malihi2023", build, Model("resnet20"), "https://doi.org/10.3390/bdcc7030154")
