"""How a stored model came about, in words, and the papers of what made it."""

from __future__ import annotations

from typing import Any

from compress.codec import METHODS, encode
from compress.models import MODELS, Model
from compress.plan import Step, plan
from compress.recipe import Recipe
from compress.stage import Distill, Factorize, Narrow, Prune, Quantize, Recovery, Stage, Train
from compress.training import Training

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
    return [first, *(_sentence(recipe, *one) for one in done or [(stage, None) for stage in recipe.stages])]


def sources(recipe: Recipe, steps: list[Step]) -> dict[str, str]:
    """Links by name of every method and network that took part."""
    stages = [step.stage for step in steps] or list(recipe.stages)
    asked: list[Model] = [recipe.student]
    if recipe.teacher is not None and any(_asks(stage, recipe) for stage in stages):
        asked.append(recipe.teacher)
    networks = {model.family: MODELS[model.family].source for model in asked if not model.own}
    return {**networks, **{name: _SOURCES[name] for stage in stages for name in _names(encode(stage))}}


def _names(value: object) -> list[str]:
    """Every registered method in a stage's JSON, in order."""
    if isinstance(value, dict):
        own = [value["type"]] if value.get("type") in _SOURCES else []
        return own + [name for one in value.values() for name in _names(one)]
    return [name for one in value for name in _names(one)] if isinstance(value, list) else []


def _asks(stage: Stage, recipe: Recipe) -> bool:
    recovery: Recovery | None = getattr(stage, "recovery", None)
    taught = recovery is not None and recovery.distiller is not None and recovery.teacher == "teacher"
    return isinstance(stage, Distill) or taught


def _sentence(recipe: Recipe, stage: Stage, level: float | None) -> str:
    if isinstance(stage, Train):
        return f"trained on labels: {_epochs(stage.training)}" if stage.training.epochs else "taken as its weights are"
    if isinstance(stage, Distill):
        return f"taught by {recipe.teacher} with {_method(stage.method)}: {_epochs(stage.training)}"
    if isinstance(stage, Narrow):
        return (
            f"a student with {stage.width:.0%} of its shortcuts' channels, taught by it with {_method(stage.method)}: "
            f"{_epochs(stage.training)}"
        )
    if isinstance(stage, Quantize):
        return f"quantized with {_method(stage.method)}"
    return f"{_cut(stage, level)}; {_recovered(recipe, stage.recovery)}"


def _cut(stage: Prune | Factorize, level: float | None) -> str:
    verb = "pruned" if isinstance(stage, Prune) else "factorized"
    if isinstance(stage, Prune) and stage.method.adaptive:
        return f"pruned with {_method(stage.method)}" + ("" if level is None else f", round {level:g}")
    assert stage.sparsity is not None
    share = stage.sparsity if level is None else level
    place = ""
    if level is not None and len(stage.levels) > 1 and level in stage.levels:
        place = f", level {stage.levels.index(level) + 1} of {len(stage.levels)}"
    how = f"{_method(stage.method)} until {share:.1%} of its weights are gone"
    return f"{verb} with {how}, {_method(stage.schedule)}{place}"


def _recovered(recipe: Recipe, recovery: Recovery) -> str:
    who = recipe.teacher if recovery.teacher == "teacher" else "the network as it was before"
    taught = "" if recovery.distiller is None else f" under {who} with {_method(recovery.distiller)}"
    part = "all weights" if recovery.scope == "all" else "the classifier alone"
    return f"recovered by training {part}{taught}: {_epochs(recovery.training)}"


def _epochs(training: Training) -> str:
    plural = "" if training.epochs == 1 else "s"
    return f"{training.epochs} epoch{plural}, learning rate {training.lr:g}, batches of {training.batch_size}"


def _method(method: object) -> str:
    """Its name and its settings."""
    form: Any = encode(method)
    settings = [f"{name} {value}" for name, value in form.items() if name != "type"]
    return f"{form['type']} ({', '.join(settings)})" if settings else str(form["type"])
