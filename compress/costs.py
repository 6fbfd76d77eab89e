"""Costs first: params, nonzero params and MACs of every point of a recipe, before anything is trained.

The structural half of each stage runs on untrained weights, with the code that will run on trained ones. That is exact
for everything that depends on shapes and counts; a rank chosen by kept energy depends on the trained weights, so there
the figures are close, not equal, and so is how many of a network's zeros lie in a classifier that is replaced. A method
that chooses channels while the network trains is carried out without the training: what it will choose has as many
weights but another share of them in each layer. What an adaptive method removes is known when it is done; its figures
are those of its rounds on untrained weights.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from compress.agreement import IMAGES
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill.stages import check_stages
from compress.distill.teaching import Teaching
from compress.figures import computed
from compress.measure import Costs, count
from compress.models.own import name_taps
from compress.plan import Step, plan
from compress.pruning.pruner import weight_count
from compress.recipe import Recipe
from compress.stages import Train
from compress.step_checks import blamed, check_own, files_of, seeded

SHALLOW = 0.5
"""Stands for every depth of a cut."""


@dataclass(frozen=True)
class PredictedPoint:
    """One point to be: where it will sit on the curve, and what it will cost."""

    sparsity: float | None
    variant: str
    costs: Costs
    size_bytes: int

    @property
    def figures(self) -> dict[str, float]:
        """Every counted cost, by name."""
        known = {**vars(self.costs), "size_bytes": self.size_bytes}
        return {**known, **computed(known)}


def predict(recipe: Recipe, task: Task) -> list[PredictedPoint]:
    """The recipe's points in the order they are made; RecipeError when a stage cannot be carried out on its model."""
    points = []
    known: dict[str, Costs] = {}
    for step, model in _models(recipe, task):
        same = step.parent if step.stage.variant else None  # fewer bits, but as many weights and MACs
        known[step.key] = known[same.key] if same else count(model, (task.channels, task.size, task.size))
        points.append(
            PredictedPoint(step.sparsity, step.variant, known[step.key], files_of(step, model, task).size_bytes)
        )
    return points


def _models(recipe: Recipe, task: Task) -> Iterator[tuple[Step, nn.Module]]:
    """The recipe's steps with their models, untrained; a user's own come back from their files.

    A model is as it is until the next one: of what nothing else is made the next one is made in place.
    """
    noise = _noise((task.channels, task.size, task.size), len(task.classes))
    made: dict[str, nn.Module] = {}
    steps = plan(recipe, fingerprint="")
    last = {one.key: at for at, step in enumerate(steps) for one in (step.parent, step.original, step.teacher) if one}
    for at, step in enumerate(steps):
        taught_by_it = step.teacher is not None and step.parent is not None and step.teacher.key == step.parent.key
        in_place = step.parent is not None and last[step.parent.key] == at and not taught_by_it
        calibration = task.train.first(IMAGES) if step.model.own else noise
        with blamed(step):
            model = made[step.key] = _untrained(step, task, made, calibration, in_place=in_place)
        if step.model.own:
            check_own(step, model, task)
        yield step, model


def check(recipe: Recipe, task: Task) -> None:
    """RecipeError when a stage cannot be carried out on its model: from the deepest level alone, as `skeleton` has it.

    The networks must be as `check_networks` wants them, and a user's own must come back from its files; the labels must
    be as `check_labels` wants them.
    """
    check_labels(recipe, task)
    check_networks(recipe, task)
    _check_teacher(recipe, task)
    for step, model in _models(skeleton(recipe), task):
        if step.model.own:  # the zoo's networks take images after any cut
            with blamed(step):
                count(model, (task.channels, task.size, task.size))


def _check_teacher(recipe: Recipe, task: Task) -> None:
    """RecipeError unless a teacher of the user's own comes back from its files the same."""
    if recipe.teacher is not None and recipe.teacher.own and recipe.schooling is not None:
        alone = Recipe(recipe.task, recipe.teacher, (Train(recipe.schooling),))
        for _ in _models(alone, task):
            continue


def check_labels(recipe: Recipe, task: Task) -> None:
    """RecipeError when the task's labels are not enough for a distillation method; no network is built for that."""
    for method in filter(None, (stage.distiller for stage in recipe.stages)):
        method.check_labels(task.train.labels)


def deepest(recipe: Recipe, task: Task) -> list[PredictedPoint]:
    """The points before any cut and at the deepest level, of both bits: the least that a recipe's points can cost.

    A method that finds its sparsity by itself is taken to leave one channel wherever it may cut; no points where
    nothing can be done with so little.
    """
    stages = tuple(stage.at_most() for stage in recipe.stages)
    try:
        return predict(replace(recipe, stages=tuple(stage.only_deepest() for stage in stages)), task)
    except Exception:  # RecipeError, or whatever a user's own network says to one channel
        if stages == recipe.stages:
            raise
        return []


def skeleton(recipe: Recipe) -> Recipe:
    """The recipe without what changes no network: of two with the same skeleton both can be carried out, or none.

    If the labels allow, that is. All levels but the deepest go, and unless a network is the user's own also int8, the
    seed, learning rates, and teachers of whom no layer is kept.
    """
    stages = tuple(stage.only_deepest() for stage in recipe.stages)
    if any(model is not None and model.own for model in (recipe.student, recipe.teacher)):
        return replace(recipe, stages=stages)
    bare = tuple(one for stage in stages if (one := stage.structural()) is not None)
    taught = any(stage.distiller is not None for stage in bare)
    teacher, schooling = (recipe.teacher, recipe.schooling) if taught else (None, None)
    return replace(recipe, stages=bare, teacher=teacher, schooling=schooling, seed=0)


def depth(recipe: Recipe) -> tuple[str, float | None]:
    """What names the skeleton but for how deep its one cut goes, and that: where the deepest can be cut, all can.

    None and the name of the whole skeleton where that does not hold: a user's own network may want sizes that only some
    depths leave.
    """
    bones = skeleton(recipe)
    cuts = [getattr(stage, "sparsity", None) for stage in bones.stages if stage.cuts]
    deep = cuts[0] if len(cuts) == 1 else None
    own = any(model is not None and model.own for model in (bones.student, bones.teacher))
    if deep is None or own:
        return bones.id, None
    return cut_to(bones, SHALLOW).id, deep


def cut_to(recipe: Recipe, sparsity: float) -> Recipe:
    """The recipe with its cut so deep."""
    return replace(recipe, stages=tuple(stage.cut_to(sparsity) for stage in recipe.stages))


def check_networks(recipe: Recipe, task: Task) -> None:
    """RecipeError unless teacher and student can be made, and take the task's images, their weights and methods."""
    models = [model for model in (recipe.teacher, recipe.student) if model is not None]
    for model in models:
        model.check(len(task.classes), task.channels, task.size)
    taught_by = list(filter(None, (stage.distiller for stage in recipe.stages)))
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


def _untrained(
    step: Step, task: Task, made: dict[str, nn.Module], calibration: Batch, *, in_place: bool = False
) -> nn.Module:
    if step.parent is None or step.original is None:
        with seeded():
            model = _filled(step.model.build(len(task.classes), task.channels))
    else:
        full = weight_count(made[step.original.key])
        parent = made[step.parent.key]
        model = parent if in_place else copy.deepcopy(parent)
        model = step.stage.change(model, step.level, full=full, calibration=calibration)
    method = step.stage.distiller
    if method is not None and method.ships_adapter and step.teacher is not None:
        if step.teacher.key not in made:
            made[step.teacher.key] = _untrained(step.teacher, task, made, calibration)
        with seeded():
            loss = Teaching(model, made[step.teacher.key], method, calibration, labels=task.train.labels)
        _filled(loss.adapters)
        loss.ship()
    return model


def _filled(module: nn.Module) -> nn.Module:
    """Biases start at zero but do not stay there; only masks are zeros."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter[parameter == 0] = 1.0
    return module
