"""The space of a study: a registered space, a user's own, or given recipes; over given models, restricted, checked.

What a study was begun with stands in its header: `space_is` tells a user's space from another under the same name,
`only` has the restrictions, `recipes` given recipes, `networks` the user's networks that the space's recipes name.
`reference` has the unpruned teacher of a restricted space (`begin_reference.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from compress.costs import check
from compress.data.tasks import Task
from compress.distill import DISTILLERS, Distiller
from compress.errors import RecipeError
from compress.goals import Goal
from compress.models import Model
from compress.recipe import Recipe
from search.beginning.begin_checks import NETWORKS, check_given, check_suit
from search.beginning.begin_reference import ENTRY as REFERENCE
from search.beginning.begin_reference import with_reference
from search.settings import TRIALS, Settings
from search.study.names import StudyError
from search.study.record import StudyRecord
from search.study.study import Study
from spaces import EARLIER, SPACES, Space
from spaces.listing import MOST, Listing
from spaces.own import is_path, load, watched
from spaces.probe import Probe, check_placed, makes, probe
from spaces.restrict import Only, read_only, restricted

Models = Mapping[str, Mapping[str, Mapping[str, str]]]


class BegunSpace(NamedTuple):
    """A space to search, its restrictions, the entries for the study's header, and a note for people or "".

    `scale` is the scale of the space, None for a space of one scale; `scale_said` tells people of the scale, or is "".
    """

    space: Space
    only: Only
    header: dict[str, Any]
    note: str
    scale: str | None = None
    scale_said: str = ""


def space_of(study: Study, settings: Settings, models: Models, task: Task) -> BegunSpace:
    """Return the space of the settings over `models`, as a new study begins with it or `study` was begun.

    StudyError if the study was begun with another space or other restrictions; RecipeError for a space at fault, and
    for models that do not suit the task. Nothing is trained.
    """
    seed = study.header.get("seed", settings.seed)
    check_given(models, task, new=not settings.resume)
    whole, mark = _named(study, settings)
    scale = scale_of(study, settings, whole)
    space = (whole if scale is None else whole.at(scale)).for_task(task.name)
    if models.get("students") or models.get("teachers"):
        if space.given is None:
            raise RecipeError(f"student, teacher: {space.name} is about models of its own; use another --space")
        space = space.given(*(tuple(map(Model.parse, models.get(who, ()))) for who in ("students", "teachers")))
    header: dict[str, Any] = {}
    if space.recipes:
        header["recipes"] = {name: recipe.as_json() for name, recipe in space.recipes.items()}
        _check_recipes(space, task)
    is_own = not isinstance(settings.space, str) or is_path(settings.space)
    found = probe(space, task.name, seed) if is_own or settings.only or study.header.get("only") else Probe()
    if is_own and not space.recipes:
        header["space_is"] = mark or found.fingerprint
        _check_own(space, found, task, seed)
    only = read_only(_words(settings.only), found, space.name)
    if study.exists:
        only = _as_begun(study, header, only)
    elif is_own:
        header |= _code(space, found, task, models)
    if only:
        header["only"] = {name: list(values) for name, values in only.items()}
    notes = [_note(found)] if is_own else []
    space, own = suited(restricted(space, only, task.name, seed), task, seed), space.teacher
    if only and not space.recipes:
        left = probe(space, task.name, seed).recipes.values()
        space = with_reference(study, space, found.recipes.values(), left, task)
    if space.teacher != own:
        header[REFERENCE] = str(space.teacher)
        notes.append(f"the unpruned {space.teacher} is the reference, as no recipe is left with the teacher {own}")
    scale_said = "" if scale is None else f"space {space.name} at the scale {scale}, one of {', '.join(whole.scales)}"
    return BegunSpace(space, only, header, "; ".join(filter(None, notes)), scale, scale_said)


def scale_of(study: Study, settings: Settings, space: Space) -> str | None:
    """Return the scale the study was begun with; of a new study, the scale asked for or the task's own.

    None for a space of one scale, and for a study begun before its space had scales. RecipeError for an unknown scale.
    """
    if not study.exists:
        return space.scale_for(settings.task_name, settings.scale)
    begun: str | None = study.header.get("scale")
    if begun is not None:
        space.at(begun)
    return begun


def check_alike(earlier: StudyRecord | None, scale: str | None) -> None:
    """Raise StudyError if the study to start from is of another scale; a study of an earlier version has none."""
    if earlier is not None and earlier.scale is not None and earlier.scale != scale:
        raise StudyError(f"from: {earlier.name} must be of the scale {scale}, got {earlier.scale}")


def suited(space: Space, task: Task, seed: int) -> Space:
    """Return the space without the distillers that cannot teach the task's goal.

    RecipeError if a choice of distillers has none left.
    """
    unfit = {name for name, kind in DISTILLERS.items() if _refuses(kind(), task.goal)}
    if not unfit:
        return space
    fit: dict[str, tuple[Any, ...]] = {}
    for name, question in probe(space, task.name, seed).questions.items():
        if unfit.intersection(question.choices):
            fit[name] = tuple(value for value in question.choices if value not in unfit)
            if not fit[name]:
                raise RecipeError(
                    f"{name}: a method must be left that can teach {task.goal.name}, got {', '.join(map(str, unfit))}"
                )
    return restricted(space, fit, task.name, seed)


def _refuses(method: Distiller, goal: Goal) -> bool:
    try:
        method.check_goal(goal)
    except RecipeError:
        return True
    return False


def planned(settings: Settings, space: Space, grid: Listing | None) -> tuple[int, str]:
    """Return the trials of the study in all, and a sentence on the grid, "" without a grid.

    ValueError for a grid too large to be listed, unless the settings say how many trials.
    """
    if grid is None:
        return TRIALS if settings.trials is None else settings.trials, ""
    count, seeds = len(grid.choices), settings.seeds
    if not grid.is_whole and settings.trials is None:
        raise ValueError(
            f"grid: {space.name} must have at most {MOST:,} recipes, got more; restrict choices by --only, or name "
            "the number of the first --trials"
        )
    named = f"{count:,} recipe{'s' * (count != 1)}" if grid.is_whole else f"the first of more than {MOST:,} recipes"
    trials = count + 1 if settings.trials is None else settings.trials
    here = "" if settings.trials is None else f", of these {trials - 1:,} here"
    each = f", each with {seeds} seeds" if seeds > 1 else ""
    left_out = f"; {len(grid.errors):,} combinations make no recipe: {grid.errors[0]}" if grid.errors else ""
    return trials, f"grid: {named} of {space.name}, after the unpruned {space.teacher}{here}{each}{left_out}"


def _named(study: Study, settings: Settings) -> tuple[Space, str]:
    """Return the space, and the sha256 of its source if the space is a user's file.

    A study begun before its space had scales has the space of that time.
    """
    if not isinstance(settings.space, str):
        return (settings.space, "") if settings.space.recipes else (watched(settings.space, settings.space.name), "")
    if is_path(settings.space):
        return load(settings.space)
    name, now = settings.space, SPACES[settings.space]
    return (EARLIER.get(name, now) if study.exists and "scale" not in study.header else now), ""


def _words(only: object) -> Mapping[str, object]:
    assert isinstance(only, Mapping)
    return only


def _as_begun(study: Study, header: Mapping[str, Any], only: Only) -> dict[str, tuple[Any, ...]]:
    """Return the restrictions the study was begun with; StudyError if anything differs from now."""
    if study.header.get("space_is", "") != header.get("space_is", ""):
        raise StudyError(
            f"study {study.name}: its space {study.header['space']} must be as it was when the study was begun, got "
            "another source or other recipes; begin a new study"
        )
    if study.header.get("recipes", {}) != header.get("recipes", {}):
        was, got = (", ".join(some.get("recipes", {})) for some in (study.header, header))
        raise StudyError(
            f"study {study.name}: was begun with the recipes {was}, got {got}, or others under these names; begin a "
            "new study, models in the store are not made again"
        )
    begun = {name: tuple(values) for name, values in study.header.get("only", {}).items()}
    if only and only != begun:
        was, got = (" ".join(f"{name}={','.join(map(str, v))}" for name, v in some.items()) for some in (begun, only))
        raise StudyError(f"study {study.name}: was begun with only {was or 'nothing'}, got {got}; begin a new study")
    return begun


def _check_own(space: Space, found: Probe, task: Task, seed: int) -> None:
    """Raise RecipeError for a user's space without recipes, or with unfit questions, teacher or beginnings."""
    if not found.recipes:
        raise RecipeError(found.errors[0])
    check_placed(space.name, found.questions)
    check(space.baseline(task.name, seed), task)
    for choices in space.beginnings:
        if not makes(space, task.name, seed, choices):
            raise RecipeError(f"space {space.name}: a beginning must make a recipe of the space, got {dict(choices)}")


def _note(found: Probe) -> str:
    if not found.errors:
        return ""
    return f"of {found.drawn} recipes drawn {len(found.errors)} cannot be made, and will be left out: {found.errors[0]}"


def _check_recipes(space: Space, task: Task) -> None:
    """Raise RecipeError, with its name, for a given recipe that cannot be carried out."""
    for name, recipe in space.recipes.items():
        check_suit(_own(recipe), task, new=False)
        try:
            check(recipe, task)
        except RecipeError as error:
            raise RecipeError(f"run: {name} must be a recipe for {task.name}, got {error}") from error


def _code(space: Space, found: Probe, task: Task, models: Models) -> dict[str, Any]:
    """Return the header's entries on networks and weights of the user's own in the recipes, by source."""
    recipes = (space.baseline(task.name, 0), *(space.recipes or found.recipes).values())
    named = dict.fromkeys(model for recipe in recipes for model in _own(recipe))
    check_suit(named, task, new=True)
    prints = {f"{m.family}@{m.weights}" if m.weights else m.family: m.fingerprints for m in named}
    known = {name for what in models.values() for name in what}
    entries: dict[str, Any] = {NETWORKS: {name: each for name, each in prints.items() if name not in known}}
    return {name: entry for name, entry in entries.items() if entry}


def _own(recipe: Recipe) -> Iterable[Model]:
    return [m for m in (recipe.student, recipe.teacher) if m is not None and (m.own or m.weights is not None)]
