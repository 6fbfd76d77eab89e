"""A space of given recipes alone, and reading recipes: their JSON, a file of it, or the card of an export.

The only choice of the space is the recipe's `name`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from compress.data.own_task import is_function, title
from compress.errors import RecipeError
from compress.models import Model
from compress.own_code import whole_path
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from spaces.space import Space, Trial

NAME = "recipes"
"""Name of the space in a study's records."""
CHOICE = "name"
FOLDER = "folder:"
CARD = "card.json"
MOST_BYTES = 10_000_000

Given = str | Path | Mapping[str, Any] | Recipe
"""A recipe: its file, an export's folder, its JSON form, or itself."""


def of_recipes(recipes: Mapping[str, Recipe]) -> Space:
    """Return the space of the recipes, by name. Its teacher is their first teacher, else their first student.

    RecipeError if there is none.
    """
    if not recipes:
        raise RecipeError("run: recipes must be given, got none")
    first = next((one for one in recipes.values() if one.teacher is not None), next(iter(recipes.values())))
    teacher, schooling = _unpruned(first)
    return Space(NAME, partial(_build, recipes), teacher, "", schooling=schooling, recipes=recipes)


def _unpruned(recipe: Recipe) -> tuple[Model, Training | None]:
    """Return the network a recipe begins with, and its training on labels, so that the baseline's model is shared."""
    if recipe.teacher is not None:
        return recipe.teacher, recipe.schooling
    begun = recipe.stages[0]
    return recipe.student, begun.training if isinstance(begun, Train) else None


def _build(recipes: Mapping[str, Recipe], trial: Trial, task: str, seed: int) -> Recipe:
    return recipes[str(trial.suggest_categorical(CHOICE, tuple(recipes)))]


def read(given: Iterable[Given], task: str | None, networks: Iterable[str] = ()) -> dict[str, Recipe]:
    """Read recipes by name, those of the same content once.

    `task` is the place of the images, None for the recipes' own. Functions of the user's own in a file, networks and
    optimizers, must be among `networks`, as their code runs. RecipeError for a file that is no recipe, and for recipes
    of two tasks.
    """
    allowed = {whole_path("network", name) for name in networks}
    found: dict[str, Recipe] = {}
    for number, one in enumerate(given, 1):
        who, recipe = (f"recipe {number}", one) if isinstance(one, Recipe) else _read(one, number)
        if not isinstance(one, Recipe):
            recipe = _moved(recipe, allowed)
            _check_code(who, recipe, allowed)
            if task is None and is_function(recipe.task):
                name = title(recipe.task)
                raise RecipeError(f"run: {who} must be of a task named by --task, as its code runs, got {name}")
        recipe = _of_task(who, recipe, task or next((other.task for other in found.values()), recipe.task))
        if recipe.id not in {other.id for other in found.values()}:
            found[_free(who, found)] = recipe
    return found


def _free(who: str, found: Mapping[str, Recipe]) -> str:
    return who if who not in found else next(n for i in range(2, len(found) + 3) if (n := f"{who} {i}") not in found)


def _read(one: str | Path | Mapping[str, Any], number: int) -> tuple[str, Recipe]:
    """Return the name and the recipe."""
    who, form = f"recipe {number}", one
    if not isinstance(one, Mapping):
        who, form = _load(Path(one))
    try:
        if isinstance(form, Mapping) and "point" in form:  # a card
            form = form["point"].get("recipe")
        if not isinstance(form, Mapping):
            raise RecipeError(f"must be a JSON object, got {type(form).__name__}")
        return who, Recipe.from_json(form)
    except (RecipeError, TypeError, AttributeError, LookupError, RecursionError) as error:
        named = who if isinstance(one, Mapping) else one
        raise RecipeError(f"run: {named} must be a recipe, got {error}") from error


def _load(path: Path) -> tuple[str, Any]:
    """Return the name and the JSON of a file: the file's name, or the name of an export's folder."""
    file = path / CARD if path.is_dir() else path
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RecipeError(f"run: {path} must be a recipe, got a file of more than {MOST_BYTES:,} bytes")
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, RecipeError):
            raise
        why = getattr(error, "strerror", None) or error
        raise RecipeError(f"run: {path} must be a recipe's JSON, or an export with {CARD}, got {why}") from error
    try:
        form = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"run: {path} must be a recipe's JSON, got {str(error) or type(error).__name__}") from error
    return file.absolute().parent.name if file.name == CARD else file.stem, form


def _moved(recipe: Recipe, allowed: set[str]) -> Recipe:
    """Return the recipe with networks of files where `allowed` names a file and function of the same names."""
    places = {path.rpartition("/")[2]: path for path in allowed if "/" in path}

    def moved(model: Model) -> Model:
        return replace(model, family=places.get(model.family.rpartition("/")[2], model.family))

    return replace(
        recipe, student=moved(recipe.student), teacher=None if recipe.teacher is None else moved(recipe.teacher)
    )


def _check_code(who: str, recipe: Recipe, allowed: set[str]) -> None:
    for path in sorted(recipe.own_code - allowed):
        raise RecipeError(f"run: {who} must name functions whose code may run, got {path}; add --network {path}")


def _of_task(who: str, recipe: Recipe, task: str) -> Recipe:
    """Return the recipe for the task; a folder or a file may lie elsewhere now, under the same name."""
    if _place(recipe.task) == _place(task):
        return replace(recipe, task=task)
    raise RecipeError(
        f"run: {who} must be about {task!r}, the task of --task or the first, got {recipe.task!r}; carry it out in a "
        "study of its own, another --name"
    )


def _place(task: str) -> tuple[bool, str]:
    """Return whether a task is a folder, and its name without the folders above."""
    return task.startswith(FOLDER), task.removeprefix(FOLDER).rpartition("/")[2]
