"""How a stored model came about, in words, and the papers of what made it."""

from __future__ import annotations

from compress.codec import METHODS
from compress.encoding import encode
from compress.models import MODELS, Model
from compress.plan import Step, plan
from compress.recipe import Recipe
from compress.stages import Stage

_SOURCES = {name: method.source for methods in METHODS.values() for name, method in methods.items()}


def lineage(recipe: Recipe, fingerprint: str, key: str, place: tuple[float, str]) -> list[Step]:
    """The steps that led to the model of that key on the task of that fingerprint, the first first.

    Where keys have changed since, with the data or a stage's code, it is the model at that `place` on the recipe's
    curves, sparsity and variant; empty where that does not tell, for a method that finds its sparsity.
    """
    planned = plan(recipe, fingerprint)
    there = [step for step in planned if (step.sparsity, step.variant) == place]
    found = next((step for step in planned if step.key == key), there[0] if len(there) == 1 else None)
    steps: list[Step] = []
    while found is not None:
        steps.insert(0, found)
        found = found.original
    return steps


def told(recipe: Recipe, steps: list[Step]) -> list[str]:
    """A sentence a step; of the whole recipe without steps."""
    first = f"{recipe.student}: {MODELS[recipe.student.family].title if not recipe.student.own else 'a user network'}"
    done: list[tuple[Stage, float | None]] = [(step.stage, step.level) for step in steps]
    done = done or [(stage, None) for stage in recipe.stages]
    return [first, *(stage.sentence(level, recipe.teacher) for stage, level in done)]


def sources(recipe: Recipe, steps: list[Step]) -> dict[str, str]:
    """Links by name of every method and network that took part."""
    stages = [step.stage for step in steps] or list(recipe.stages)
    asked: list[Model] = [recipe.student]
    if recipe.teacher is not None and any(stage.needs_teacher for stage in stages):
        asked.append(recipe.teacher)
    networks = {model.family: MODELS[model.family].source for model in asked if not model.own}
    return {**networks, **{name: _SOURCES[name] for stage in stages for name in _names(encode(stage))}}


def _names(value: object) -> list[str]:
    """Every registered method in a stage's JSON, in order."""
    if isinstance(value, dict):
        own = [value["type"]] if value.get("type") in _SOURCES else []
        return own + [name for one in value.values() for name in _names(one)]
    return [name for one in value for name in _names(one)] if isinstance(value, list) else []
