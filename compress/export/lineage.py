"""The steps behind a stored model, in words, and links to the papers of their methods."""

from __future__ import annotations

from compress.codec import METHODS
from compress.encoding import encode
from compress.errors import MissingModel
from compress.models import Model
from compress.plan import Step, plan
from compress.recipe import Recipe
from compress.stages import Stage

_SOURCES = {name: method.source for methods in METHODS.values() for name, method in methods.items()}


def lineage(recipe: Recipe, fingerprint: str, key: str, place: tuple[float, str]) -> list[Step]:
    """Return the steps that led to the model `key` on the task with `fingerprint`, in order.

    A change of the data or of a stage's code changes keys. For an unknown key the model is found by its `place` on the
    recipe's curves, (sparsity, variant). Empty unless exactly one step is at `place`: a method may choose its sparsity
    itself. Empty too if a user's own optimizer cannot be imported here: a trained model needs its optimizer no more.
    """
    try:
        planned = plan(recipe, fingerprint)
    except MissingModel:
        return []
    at_place = [step for step in planned if (step.sparsity, step.variant) == place]
    found = next((step for step in planned if step.key == key), at_place[0] if len(at_place) == 1 else None)
    steps: list[Step] = []
    while found is not None:
        steps.insert(0, found)
        found = found.original
    return steps


def sentences(recipe: Recipe, steps: list[Step]) -> list[str]:
    """Return a sentence for the network and for every step; without steps, for every stage of the recipe."""
    first = f"{recipe.student}: {recipe.student.title}"
    stages: list[tuple[Stage, float | None]] = [(step.stage, step.level) for step in steps]
    stages = stages or [(stage, None) for stage in recipe.stages]
    return [first, *(stage.sentence(level, recipe.teacher) for stage, level in stages)]


def sources(recipe: Recipe, steps: list[Step]) -> dict[str, str]:
    """Return the links of all methods and networks of the steps, by name; without steps, of the recipe's stages."""
    stages = [step.stage for step in steps] or list(recipe.stages)
    models: list[Model] = [recipe.student]
    if recipe.teacher is not None and any(stage.needs_teacher for stage in stages):
        models.append(recipe.teacher)
    networks = {model.family: model.source for model in models if model.source or not model.own}
    return {**networks, **{name: _SOURCES[name] for stage in stages for name in _names(encode(stage))}}


def _names(value: object) -> list[str]:
    """Return the names of all registered methods in a stage's JSON, in order."""
    if isinstance(value, dict):
        own = [value["type"]] if value.get("type") in _SOURCES else []
        return own + [name for item in value.values() for name in _names(item)]
    return [name for item in value for name in _names(item)] if isinstance(value, list) else []
