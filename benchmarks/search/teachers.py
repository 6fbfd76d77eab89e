"""The teachers of the joint space, trained before a search that does not pay for them."""

from __future__ import annotations

from pathlib import Path

import torch

from compress.data.tasks import load_task
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.stages import Train
from compress.store.folder import Store
from spaces.joint import TEACHERS
from spaces.space import schooling


def teach(folder: Path, task: str, seed: int) -> None:
    """Train what of the teachers is not in that store yet, with one thread, as trials do."""
    torch.set_num_threads(1)
    pipeline = Pipeline(load_task(task), Store(folder))
    for model in TEACHERS:
        list(pipeline.run(Recipe(task, model, (Train(schooling(task, model)),), seed=seed)))
