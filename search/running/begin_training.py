"""Settings of a study's trainings: as asked for or as begun, and checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.optimizers import check_own_optimizer, own_optimizer_source
from compress.pruning import PRUNERS
from compress.training import Training
from search.sampling.candidates import Draw
from search.settings import Settings
from search.study.study import Study, StudyError
from spaces import Space
from spaces.study_training import SGD, StudyTraining

DRAWS = 50
"""Recipes drawn from a space to find a possible one."""


def trainings_of(study: Study, settings: Settings) -> StudyTraining:
    """Return the settings of trainings: as the study was begun with; of a new study, as asked for.

    StudyError when other settings are asked for, or the source of an own optimizer has changed since. RecipeError when
    an own optimizer cannot be imported.
    """
    asked = settings.trainings
    if not study.exists:
        return asked
    begun = StudyTraining(study.header.get("training", {}), study.header.get("recovery", {}))
    if asked and asked != begun:
        raise StudyError(f"study {study.name}: was begun with {begun}, got {asked}; begin a new study")
    known: Mapping[str, str] = study.header.get("optimizers", {})
    for path, source in optimizer_sources(begun).items():
        if known.get(path) != source:
            raise StudyError(
                f"study {study.name}: {path} must be as it was when the study was begun, got another source; "
                "begin a new study"
            )
    return begun


def optimizer_sources(trainings: StudyTraining) -> dict[str, str]:
    """Return the sha256 of the source of each own optimizer; RecipeError for an optimizer that cannot be imported."""
    return {path: own_optimizer_source(path) for path in trainings.own_optimizers}


def check_trainings(trainings: StudyTraining, space: Space, task: Task) -> None:
    """Raise RecipeError unless the changed `space` makes recipes, and own optimizers can update its teacher.

    The baseline must be possible, and a recipe among `DRAWS` drawn at random.
    """
    if not trainings:
        return
    teacher = space.baseline(task.name, 0).student
    refused = _impossible(space, task)
    if refused is not None:
        raise refused
    for path, lr in trainings.own_rates.items():
        with torch.random.fork_rng(devices=[]):
            check_own_optimizer(Training(optimizer=path, lr=lr), teacher.build(task.outputs, task.channels))


def _impossible(space: Space, task: Task) -> RecipeError | None:
    """Return why the first of the drawn recipes was impossible; None if any recipe is possible."""
    chance, refused = np.random.default_rng(0), None
    for _ in range(DRAWS):
        try:
            space.build(Draw(chance), task.name, 0)
        except RecipeError as error:
            refused = refused or error
        else:
            return None
    return refused


def announced(trainings: StudyTraining) -> str:
    """Return a sentence on the settings, and on the methods that the settings rule out."""
    by_sgd = trainings.recovery.get("optimizer", SGD) == SGD
    left_out = [] if by_sgd else [name for name, method in PRUNERS.items() if method.needs_sgd]
    return f"{trainings}" + (f"; without {', '.join(left_out)}, made for {SGD} alone" if left_out else "")
