"""Check that a study's images are the images at its beginning."""

from __future__ import annotations

import logging
from contextlib import suppress

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.plan import plan
from compress.recipe import Recipe
from search.study.names import StudyError
from search.study.study import Study


def check_images(study: Study, task: Task) -> None:
    """Raise StudyError when the study was begun with other images, labels or sizes than the task has now.

    For a study without a fingerprint in the header, log a warning where the first model would not be made again.
    """
    begun = study.header.get("fingerprint")
    if begun is not None and begun != task.fingerprint:
        raise StudyError(
            f"study {study.name}: the images of {task.name} must be those it was begun with, fingerprint {begun[:8]}, "
            f"got {task.fingerprint[:8]}; put them back, or begin a new study"
        )
    if study.exists and begun is None and _is_made_otherwise(study, task):
        logging.getLogger(__name__).warning(
            "study %s: its models were made by another version, or of other images than %s has now",
            study.name,
            task.name,
        )


def _is_made_otherwise(study: Study, task: Task) -> bool:
    for trial in study.trials.values():
        with suppress(RecipeError):
            keys = {step.key for step in plan(Recipe.from_json(trial.recipe), task.fingerprint)}
            if trial.points:
                return keys.isdisjoint(trial.points)
    return False
