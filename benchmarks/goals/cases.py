"""The two regressions of the benchmark, their networks and trainings: small enough for a core and twenty minutes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.data.make_task import make_task
from compress.data.tasks import Task, load_task
from compress.distill import Distiller
from compress.goals import Regression
from compress.models import Model
from compress.pruning import PRUNERS, Exponential
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Train
from compress.training.settings import Training

ANGLE, HEADS = "digits-angle", "head-pose"
VALUES = ("light", "left-right", "up-down")
"""Targets of the heads, in the file's order: direction of the light, and two angles of the pose."""
UNIT = "deviations"
"""The file's targets are divided by their standard deviations, so an error is no angle."""
TRAIN, VALIDATION = 418, 140
"""Images of the heads; the remaining 140 are for test."""
WHOLE, HALF, QUARTER = Model("cnn"), Model("cnn", 0.5), Model("cnn", 0.25)


@dataclass(frozen=True)
class Case:
    """A task, the networks to teach, to learn and to cut, and their trainings."""

    task: Task
    training: Training
    recovery: Training
    teacher: Model
    student: Model = QUARTER
    cut: Model = HALF

    def plain(self, model: Model, seed: int) -> Recipe:
        """Return the model trained on targets alone."""
        return Recipe(self.task.name, model, (Train(self.training),), seed=seed)

    def taught(self, method: Distiller, seed: int) -> Recipe:
        """Return the student, taught for as long as `plain` trains; the teacher is the plain one of the same seed."""
        stages = (Distill(method, self.training),)
        return Recipe(self.task.name, self.student, stages, self.teacher, self.training, seed)

    def curve(self, pruner: str, levels: int, deepest: float, seed: int) -> Recipe:
        """Return the plain network cut level by level, with a recovery after each."""
        stage = Prune(PRUNERS[pruner](), deepest, Exponential(levels), Recovery(self.recovery))
        return Recipe(self.task.name, self.cut, (Train(self.training), stage), seed=seed)


def angle_case() -> Case:
    """Return digits turned by an angle."""
    training = Training(epochs=30, lr=0.1)
    return Case(load_task(ANGLE), training, Training(epochs=6, lr=0.05), WHOLE)


def head_case(file: Path) -> Case:
    """Return the heads of an `.npz` file with `images` (N, 32, 32) uint8 and `pose` (N, 3) float32."""
    training = Training(epochs=10, lr=0.05, batch_size=32)
    return Case(head_task(file), training, Training(epochs=4, lr=0.02, batch_size=32), HALF)


def head_task(file: Path) -> Task:
    """Return the task as a user makes one: drawn once into 418 / 140 / 140 images, MAE, and R2 of each value.

    ValueError for another file.
    """
    try:
        with np.load(file) as found:
            images, pose = found["images"], found["pose"]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"head-pose: must be an .npz file with images and pose, got {file}: {error}") from error
    order = np.random.RandomState(0).permutation(len(images))
    parts = np.split(order, (TRAIN, TRAIN + VALIDATION))
    goal = Regression(VALUES, UNIT, also=("r2", *(f"r2-{name}" for name in VALUES)))
    return make_task(goal, *((images[part], pose[part]) for part in parts), name=HEADS)
