"""Settings of a study's trainings: as asked for or as begun, and checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.training.optimizers import check_own_optimizer, own_optimizer_source
from search.settings import Settings
from search.study.names import StudyError
from search.study.study import Study
from spaces import Space
from spaces.probe import probe
from spaces.restrict import Only, check_left
from spaces.study_training import StudyTraining

MOST = 3
"""Sentences on refused recipes shown."""


class Checked(NamedTuple):
    """Sentences that refuse some of a space's recipes, and the sha256 of the source of each own optimizer by path."""

    refused: Sequence[str] = ()
    sources: Mapping[str, str] = {}


def trainings_of(study: Study, settings: Settings) -> StudyTraining:
    """Return the settings of trainings: as the study was begun with; of a new study, as asked for.

    StudyError when other settings are asked for, or the source of an own optimizer has changed since. RecipeError when
    an own optimizer cannot be imported.
    """
    asked = settings.trainings
    if not study.exists:
        for path in asked.own_optimizers:
            own_optimizer_source(path)
        return asked
    begun = StudyTraining(study.header.get("training", {}), study.header.get("recovery", {}))
    if asked and asked != begun:
        raise StudyError(f"study {study.name}: was begun with {begun}, got {asked}; begin a new study")
    known: Mapping[str, str] = study.header.get("optimizers", {})
    for path, source in known.items():
        if own_optimizer_source(path) != source:
            raise StudyError(
                f"study {study.name}: {path} must be as it was when the study was begun, got another source; "
                "begin a new study"
            )
    return begun


def check_trainings(space: Space, task: Task, seed: int, only: Only) -> Checked:
    """Try all trainings of a space: draw recipes, and update the unpruned teacher by each own optimizer.

    RecipeError unless the baseline and some of the recipes are possible, also some with each choice restricted by
    `only`, and own optimizers can update the teacher.
    """
    baseline = space.baseline(task.name, seed)
    found = probe(space, task.name, seed)
    if not found.recipes:
        raise RecipeError(found.errors[0])
    check_left(only, found)
    sources = {}
    own = {path: made for each in (baseline, *found.recipes.values()) for path, made in each.own_optimizers.items()}
    for path, training in own.items():
        with torch.random.fork_rng(devices=[]):
            check_own_optimizer(training, baseline.student.build(task.outputs, task.channels))
        sources[path] = own_optimizer_source(path)
    return Checked(tuple(dict.fromkeys(found.errors)), sources)


def announced(trainings: StudyTraining, refused: Sequence[str]) -> str:
    """Return a line on the settings, and on recipes `refused` under the settings; "" without settings."""
    return "; left out: ".join([str(trainings), *refused[:MOST]]) if trainings else ""
