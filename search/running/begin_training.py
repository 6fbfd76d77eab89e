"""Settings of a study's trainings: as asked for or as begun, and checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.optimizers import check_own_optimizer, own_optimizer_source
from compress.training import Training
from search.sampling.candidates import Draw
from search.settings import Settings
from search.study.study import Study, StudyError
from spaces import Space
from spaces.study_training import StudyTraining

DRAWS = 200
"""Recipes drawn from a space to find possible and impossible recipes."""


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


def check_trainings(trainings: StudyTraining, space: Space, task: Task) -> tuple[str, ...]:
    """Return the sentences that refuse recipes of the changed `space`; () without settings.

    RecipeError unless the baseline and some of `DRAWS` random recipes are possible, and own optimizers can update the
    unpruned teacher.
    """
    if not trainings:
        return ()
    teacher = space.baseline(task.name, 0).student
    refused = _refused(space, task)
    for path, lr in trainings.own_rates.items():
        with torch.random.fork_rng(devices=[]):
            check_own_optimizer(Training(optimizer=path, lr=lr), teacher.build(task.outputs, task.channels))
    return refused


def _refused(space: Space, task: Task) -> tuple[str, ...]:
    """Return why some of the drawn recipes are impossible; RecipeError if all are."""
    chance = np.random.default_rng(0)
    refused: dict[str, int] = {}
    for _ in range(DRAWS):
        try:
            space.build(Draw(chance), task.name, 0)
        except RecipeError as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
    if sum(refused.values()) == DRAWS:
        raise RecipeError(next(iter(refused)))
    return tuple(refused)


def announced(trainings: StudyTraining, refused: Sequence[str]) -> str:
    """Return a line on the settings, and on recipes `refused` under the settings."""
    return "; left out: ".join([str(trainings), *refused])
