"""SlimNets, Oguntola et al. 2018, https://arxiv.org/abs/1808.00496: VGG pruned gradually, factorized or distilled.

The paper compresses by gradual pruning or pruning at once, both to 87.5 % of each layer; by low-rank factorization; by
distillation of a student from VGG; and by gradual pruning of the distilled student. Networks here are narrow, as small
images allow.
"""

from __future__ import annotations

from compress.distill import KD
from compress.lowrank import SVD
from compress.models import Model
from compress.pruning import Cubic, L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Recovery, Stage, Train
from compress.training.settings import Training
from spaces.space import Space, Trial, Value, effort, schooling

TEACHER = Model("vgg8", 0.5)
STUDENTS = {"vgg8": Model("vgg8", 0.25), "nin": Model("nin", 0.25), "alexnet": Model("alexnet", 0.25)}
WAYS = ("gradual", "at once", "low rank", "distilled", "distilled, gradual")
SPARSITY = 0.875
LEVELS = 8


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Ask for a way of the paper, its learning rate, and for distillation the student and the teacher's weight."""
    way = str(trial.suggest_categorical("way", WAYS))
    recovery = Recovery(Training(epochs=effort(task).recovery, lr=float(trial.suggest_categorical("lr", (0.02, 0.05)))))
    first: Stage = Train(schooling(task))
    network, teacher = TEACHER, None
    if way.startswith("distilled"):
        network, teacher = STUDENTS[str(trial.suggest_categorical("student", tuple(STUDENTS)))], TEACHER
        w_kd = float(trial.suggest_categorical("weight of the teacher", (0.5, 0.9)))
        first = Distill(KD(1 - w_kd, w_kd), schooling(task))
    stages: list[Stage] = [first]
    if way == "low rank":
        stages.append(Factorize(SVD(), SPARSITY, OneShot(LEVELS), recovery))
    elif way != "distilled":
        schedule = OneShot(LEVELS) if way == "at once" else Cubic(LEVELS)
        stages.append(Prune(L1Unstructured(scope="layer"), SPARSITY, schedule, recovery))
    return Recipe(task, network, tuple(stages), teacher, schooling(task) if teacher else None, seed)


_STUDENT: dict[str, Value] = {"student": "nin", "weight of the teacher": 0.9, "lr": 0.02}
BEGINNINGS: tuple[dict[str, Value], ...] = (
    {"way": "gradual", "lr": 0.02},
    {"way": "at once", "lr": 0.02},
    {"way": "low rank", "lr": 0.02},
    {"way": "distilled, gradual", **_STUDENT},
)

SLIMNETS2018 = Space("slimnets2018", build, TEACHER, "https://arxiv.org/abs/1808.00496", BEGINNINGS)
