"""Settings of a study of given recipes: a grid over a space of these recipes alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from compress.data.tasks import Task
from compress.recipe import Recipe
from search.beginning.begin_checks import check_there
from search.sampling.optuna_study import GRID
from search.settings import Settings, home_folder, whole_task
from search.study.names import StudyError
from search.study.study import Study
from spaces.given_recipes import Given, of_recipes, read


def settings_of(
    name: str,
    recipes: Sequence[Given],
    *,
    task: str | Task | None,
    networks: Iterable[str],
    home: Path | str | None,
    resume: bool,
    **others: Any,
) -> Settings:
    """Return the settings of a study of recipes; `others` are fields of `Settings`.

    `task` None means the recipes' own. Without recipes a study is resumed with its own. RecipeError for recipes at
    fault, StudyError for a study of a space.
    """
    study = Study(home_folder(home), name)
    check_there(study, resume=resume)
    begun = _begun(study)
    named = {one: recipe for one, recipe in begun.items() if not recipes} or read(
        recipes, None if task is None else whole_task(task), networks
    )
    space = of_recipes(named)
    first = next(iter(named.values()))
    return Settings(
        name,
        space=space,
        task=first.task,
        seed=first.seed,
        sampler=GRID,
        home=home_folder(home),
        resume=resume,
        **others,
    )


def _begun(study: Study) -> dict[str, Recipe]:
    """Return the recipes of a study by name, {} without a study; StudyError for a study of a space."""
    if study.exists and "recipes" not in study.header:
        raise StudyError(
            f"study {study.name}: must be of given recipes to be resumed by run, got one of the space "
            f"{study.header['space']}; choose another --name, models in the store are not made again"
        )
    return {one: Recipe.from_json(form) for one, form in study.header.get("recipes", {}).items()}
