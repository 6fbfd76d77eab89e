"""The unpruned teacher of a restricted space: the space's own, or the largest teacher left.

Shares of a budget and the hypervolume are relative to the unpruned teacher. Where `--only` leaves no recipe with the
space's own teacher, a study begun now has the largest teacher of the recipes left in its place. The study's header
keeps the name; a study without the entry has the space's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from compress.data.tasks import Task
from compress.models import Model
from compress.recipe import Recipe
from search.study.names import StudyError
from search.study.study import Study
from spaces import Space

ENTRY = "reference"


def with_reference(study: Study, space: Space, before: Iterable[Recipe], left: Iterable[Recipe], task: Task) -> Space:
    """Return the space with the largest teacher of the recipes `left` by a restriction, if its own is gone.

    A teacher that no recipe had `before` stays. Size is the number of params for the task. A study that
    exists keeps its teacher; StudyError if no recipe is left with the teacher.
    """
    teachers = _teachers(left)
    if study.exists:
        return _as_begun(study, space, teachers)
    if not teachers or space.teacher in teachers or space.teacher not in _teachers(before):
        return space
    return replace(space, teacher=max(teachers, key=lambda teacher: _params(teacher, task)))


def _as_begun(study: Study, space: Space, left: Sequence[Model]) -> Space:
    name = study.header.get(ENTRY)
    if name is None:
        return space
    teachers = {str(teacher): teacher for teacher in left}
    if name not in teachers:
        raise StudyError(
            f"study {study.name}: was begun with the unpruned teacher {name}, got a space with "
            f"{', '.join(teachers) or 'none'}; begin a new study"
        )
    return replace(space, teacher=teachers[name])


def _teachers(recipes: Iterable[Recipe]) -> list[Model]:
    return [*dict.fromkeys(recipe.teacher for recipe in recipes if recipe.teacher is not None)]


def _params(model: Model, task: Task) -> int:
    with torch.random.fork_rng(devices=[]):
        return sum(each.numel() for each in model.build(task.outputs, task.channels).parameters())
