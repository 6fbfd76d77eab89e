"""Chen et al. 2021, https://doi.org/10.1007/s40747-020-00248-y: a pruned network, restored by distillation.

A network is trained, then its smallest weights are pruned, at once or by a constant factor a step. The pruned network
recovers by fine-tuning on labels or by distillation. The teacher is the unpruned original or, as in the paper's
comparison of teachers, another network.
"""

from __future__ import annotations

from compress.distill import DISTILLERS
from compress.models import Model
from compress.pruning import L1Unstructured
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from spaces.space import Space, Trial, Value, distiller, effort, schedule, schooling

NETWORKS = {"resnet20": Model("resnet20"), "resnet20 x0.5": Model("resnet20", 0.5), "cnn": Model("cnn")}
OTHER_TEACHER = Model("resnet32")
SPARSITY = 0.975
"""The highest sparsity of the paper; a curve passes the paper's 0.9 and 0.95 on the way."""
LEVELS = 8
FINE_TUNING = "labels"


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Ask for a network, a learning rate, the recovery and its teacher, and a schedule."""
    network = NETWORKS[str(trial.suggest_categorical("network", tuple(NETWORKS)))]
    training = Training(epochs=effort(task).recovery, lr=float(trial.suggest_categorical("lr", (0.01, 0.02, 0.05))))
    method = trial.suggest_categorical("recovery", (FINE_TUNING, *DISTILLERS))
    recovery, teacher = Recovery(training), None
    if method != FINE_TUNING:
        who = str(trial.suggest_categorical("taught by", ("original", "teacher")))
        teacher = OTHER_TEACHER if who == "teacher" else None
        recovery = Recovery(training, distiller=distiller(method, task), teacher=who)
    levels = schedule(trial, ("one-shot", "exponential"), recovery)(LEVELS)
    stages = (Train(schooling(task)), Prune(L1Unstructured(), SPARSITY, levels, recovery))
    return Recipe(task, network, stages, teacher, schooling(task) if teacher else None, seed)


_SETTING: dict[str, Value] = {"network": "resnet20", "schedule": "exponential", "lr": 0.02}
BEGINNINGS: tuple[dict[str, Value], ...] = (
    {**_SETTING, "recovery": FINE_TUNING},
    {**_SETTING, "recovery": "kd", "taught by": "original"},
    {**_SETTING, "recovery": "at", "taught by": "original"},
)

CHEN2021 = Space("chen2021", build, OTHER_TEACHER, "https://doi.org/10.1007/s40747-020-00248-y", BEGINNINGS)
