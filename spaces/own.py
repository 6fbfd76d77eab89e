"""A user's own space, by its path `my_space.py:SPACE` or `package.module:SPACE`, or as a `Space`: load, watch, check.

Whatever a user's function does, an ask ends in a recipe or in a RecipeError of one sentence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

from compress.errors import RecipeError, check_kind, said
from compress.models import Model
from compress.own_code import FILE, import_module, source, split_path, whole_path
from compress.recipe import Recipe
from compress.training.settings import Training
from spaces.questions import Asks, Question
from spaces.space import Space, Trial, Value, with_scales

MOST_ASKS = 1000
"""Questions of a recipe. A loop that asks until an answer fits never ends: a name has one answer in a trial."""
OURS = ("compress", "spaces", "search", "dashboards", "paretune", "paretune_names")


def is_path(name: str) -> bool:
    """Return whether a space's name is the path of a user's own."""
    return ":" in name or name.endswith(FILE)


def path_of(path: str) -> str:
    """Return the path with an absolute folder; RecipeError for another form."""
    return whole_path("space", path)


def title(path: str) -> str:
    """Return a path without the folder of its file: the name of the space in a study's records."""
    place, name = split_path("space", path)
    return f"{os.path.basename(place) if place.endswith(FILE) else place}:{name}"


def load(path: str) -> tuple[Space, str]:
    """Import a user's space; return the space, watched, and the sha256 of its source.

    RecipeError if the module cannot be imported, has no such name, or the name is no space.
    """
    place, name = split_path("space", path)
    module = import_module(f"space {title(path)}", place)
    found = getattr(module, name, None)
    if not isinstance(found, Space):
        spaces = ", ".join(key for key, value in vars(module).items() if isinstance(value, Space)) or "none"
        got = "nothing" if found is None else f"a {type(found).__name__}"
        raise RecipeError(f"space {title(path)}: must be a Space, got {got}; the spaces of {module.__name__}: {spaces}")
    return watched(found, title(path)), source(*_modules(module, found), apart=OURS)


def _modules(module: ModuleType, space: Space) -> list[ModuleType]:
    build: Any = space.build
    while isinstance(build, partial):
        build = build.func
    defined_in = sys.modules.get(str(getattr(build, "__module__", "")), module)
    return [module] if defined_in is module else [module, defined_in]


def watched(space: Space, who: str) -> Space:
    """Return the space under the name `who`, its functions turned so that every fault is a RecipeError.

    RecipeError for fields of a wrong kind.
    """
    check_kind(f"space {who}: name", space.name, (str,))
    check_kind(f"space {who}: teacher", space.teacher, (Model,))
    check_kind(f"space {who}: schooling", space.schooling, (Training, type(None)))
    check_kind(f"space {who}: teachers_by_task", space.teachers_by_task, (Mapping,))
    for teacher in space.teachers_by_task.values():
        check_kind(f"space {who}: a teacher of a task", teacher, (Model,))
    check_kind(f"space {who}: beginnings", space.beginnings, (tuple, list))
    for one in space.beginnings:
        check_kind(f"space {who}: a beginning", one, (Mapping,))
    for what in ("build", "settle"):
        if not callable(getattr(space, what)):
            raise RecipeError(f"space {who}: {what} must be a function, got {getattr(space, what)!r}")
    if space.scales:
        return with_scales({name: watched(one, who) for name, one in space.scales.items()})
    given = None if space.given is None else partial(_given, space, who)
    return replace(space, name=who, build=partial(_build, space, who), beginnings=tuple(space.beginnings), given=given)


def _given(space: Space, who: str, students: tuple[Model, ...], teachers: tuple[Model, ...]) -> Space:
    assert space.given is not None
    try:
        made = space.given(students, teachers)
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise RecipeError(f"space {who}: given must return a Space, got {said(error)}") from error
    if not isinstance(made, Space):
        raise RecipeError(f"space {who}: given must return a Space, got a {type(made).__name__}")
    return watched(made, who)


def _build(space: Space, who: str, trial: Trial, task: str, seed: int) -> Recipe:
    """Build a recipe; RecipeError unless the user's function returns one of this task and seed."""
    shown = _Shown(trial)
    try:
        with redirect_stdout(sys.stderr):
            made: object = space.build(shown, task, seed)
    except RecipeError as error:
        raise RecipeError(f"space {who}: {error}") from error
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        if error is shown.fault:
            raise
        raise RecipeError(f"space {who}: must return a recipe, got {said(error)}") from error
    if not isinstance(made, Recipe):
        raise RecipeError(f"space {who}: must return a Recipe, got a {type(made).__name__}")
    for what, wanted in (("task", task), ("seed", seed)):
        if getattr(made, what) != wanted:
            raise RecipeError(
                f"space {who}: must pass the {what} {wanted!r} on to its recipes, got {getattr(made, what)!r}"
            )
    return made


class _Shown(Asks):
    """The trial shown to a user's function: another trial, its questions counted and checked.

    `fault` is an error of the other trial that no question causes, such as of a database that does not answer.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial, self.asked = trial, 0
        self.fault: Exception | None = None

    def ask(self, name: str, question: Question) -> Value:
        """Ask the other trial."""
        self.asked += 1
        if self.asked > MOST_ASKS:
            raise RecipeError(
                f"must ask at most {MOST_ASKS} questions for a recipe, got more; {name} has the same answer every time"
            )
        if not isinstance(name, str):
            raise RecipeError(f"a choice must be named by text, got {name!r}")
        try:
            return question.put_to(self.trial, name)  # type: ignore[no-any-return]
        except (RecipeError, ValueError, TypeError) as error:
            raise RecipeError(str(error).partition("\n")[0]) from error
        except Exception as error:
            self.fault = error
            raise
