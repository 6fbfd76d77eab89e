"""Costs first: params, nonzero params and MACs of every point of a recipe, before anything is trained.

The structural half of each stage runs on untrained weights, with the code that will run on trained ones. That is exact
for everything that depends on shapes and counts; a rank chosen by kept energy depends on the trained weights, so there
the figures are close, not equal.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from compress.data import Batch
from compress.distill.stages import check_stages
from compress.errors import RecipeError, StoreError
from compress.files import Files
from compress.measure import Costs, count
from compress.models import Model
from compress.models.own import name_taps
from compress.plan import Step, plan
from compress.pruning import OneShot
from compress.recipe import Recipe
from compress.stage import Distill, Factorize, Prune, Quantize
from compress.tasks import Task
from compress.transform import transform, weight_count


@dataclass(frozen=True)
class Foreseen:
    """One point to be: where it will sit on the curve, and what it will cost."""

    sparsity: float
    variant: str
    costs: Costs
    size_bytes: int


def foresee(recipe: Recipe, task: Task) -> list[Foreseen]:
    """The recipe's points in the order they are made; RecipeError when a stage cannot be carried out on its model."""
    shape = (task.channels, task.size, task.size)
    calibration = _noise(shape, len(task.classes))
    made: dict[str, nn.Module] = {}
    points = []
    known: dict[str, Costs] = {}
    for step in plan(recipe, fingerprint=""):
        model = _untrained(step, task, made, calibration)
        made[step.key] = model
        same = step.parent if isinstance(step.stage, Quantize) else None  # fewer bits, but as many weights and MACs
        known[step.key] = known[same.key] if same else count(model, shape)
        files = Files.of(model, step.model, classes=len(task.classes), channels=task.channels)
        if step.model.own:
            _check_reloads(step.model, files)
        points.append(Foreseen(step.sparsity, step.variant, known[step.key], files.size_bytes))
    return points


def check(recipe: Recipe, task: Task) -> None:
    """RecipeError when a stage cannot be carried out on its model: as `foresee`, from the deepest level alone.

    The networks must be as `check_networks` wants them, and a user's own must come back from its files.
    """
    check_networks(recipe, task)
    at_once = [replace(s, schedule=OneShot()) if isinstance(s, Prune | Factorize) else s for s in recipe.stages]
    stages = tuple(s for s in at_once if recipe.student.own or not isinstance(s, Quantize))
    foresee(replace(recipe, stages=stages), task)


def check_networks(recipe: Recipe, task: Task) -> None:
    """RecipeError unless teacher and student can be made, and take the task's images, their weights and methods."""
    models = [model for model in (recipe.teacher, recipe.student) if model is not None]
    for model in models:
        model.check(len(task.classes), task.channels, task.size)
    taught_by = [s.method for s in recipe.stages if isinstance(s, Distill)]
    taught_by += [
        s.recovery.distiller for s in recipe.stages if isinstance(s, Prune | Factorize) if s.recovery.distiller
    ]
    for model in models if taught_by else ():
        if model.own:
            with torch.random.fork_rng(devices=[]):
                module = model.build(len(task.classes), task.channels)
            name_taps(module, torch.zeros(1, task.channels, task.size, task.size))
            for method in taught_by:
                check_stages(method, module, str(model))


def _noise(shape: tuple[int, int, int], classes: int) -> Batch:
    """Four images of noise with labels drawn at random, in place of a task's."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, *shape, generator=generator)
    return Batch(images, torch.randint(classes, (4,), generator=generator), torch.arange(4))


def _check_reloads(model: Model, files: Files) -> None:
    try:
        files.module()
    except StoreError as error:
        raise RecipeError(f"{model}: cannot be stored with this change, for it does not load again: {error}") from error


def _untrained(step: Step, task: Task, made: dict[str, nn.Module], calibration: Batch) -> nn.Module:
    if step.parent is None or step.original is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = step.model.build(len(task.classes), task.channels)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter[parameter == 0] = 1.0  # biases start at zero but do not stay there; only masks are zeros
        return model
    assert isinstance(step.stage, Prune | Factorize | Quantize)
    full = weight_count(made[step.original.key])
    model = copy.deepcopy(made[step.parent.key])
    return transform(model, step.stage, step.level, full=full, calibration=calibration)
