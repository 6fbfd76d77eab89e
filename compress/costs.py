"""Predict the params, nonzero params and MACs of every point of a recipe before any training.

The structural half of each stage runs on untrained weights, with the same code as on trained weights. Figures that
depend on shapes and counts alone are exact. Other figures are close. A rank chosen by kept energy depends on the
trained weights; so does the number of a masked network's zeros in a classifier that is replaced. A method that chooses
channels during training removes the predicted number of weights, but another share of each layer. An adaptive method
decides how much to remove: the figures are those of its rounds on untrained weights.
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
from compress.figures import LATENCY, computed
from compress.latency.latency_model import LatencyModel
from compress.measure import Costs, count
from compress.models.own import name_taps
from compress.plan import Step, plan
from compress.recipe import Recipe
from compress.stages import Train
from compress.step_checks import check_own, files_of, naming_step, seeded

SHALLOW = 0.5
"""Sparsity that stands for every depth of a cut in `depth`."""


@dataclass(frozen=True)
class PredictedPoint:
    """Predicted place on the curve and costs of one point; `latency_ms` is None where no latency is foreseen."""

    sparsity: float | None
    variant: str
    costs: Costs
    size_bytes: int
    latency_ms: float | None = None

    @property
    def figures(self) -> dict[str, float]:
        """Every predicted cost, by name."""
        known = {**vars(self.costs), "size_bytes": self.size_bytes}
        return {**known, **computed(known), **({} if self.latency_ms is None else {LATENCY: self.latency_ms})}


def predict(recipe: Recipe, task: Task, latency: LatencyModel | None = None) -> list[PredictedPoint]:
    """Predict the recipe's points in order, with `latency` their latencies too.

    RecipeError when a stage cannot be applied to its model.
    """
    points = []
    known: dict[str, Costs] = {}
    for step, model in _models(recipe, task):
        same = step.parent if step.stage.variant else None  # fewer bits, but as many weights and MACs
        known[step.key] = known[same.key] if same else count(model, task.shape)
        size = files_of(step, model, task).size_bytes
        ms = None if latency is None else latency.foresee(model, task.shape).ms
        points.append(PredictedPoint(step.sparsity, step.variant, known[step.key], size, ms))
    return points


def _models(recipe: Recipe, task: Task) -> Iterator[tuple[Step, nn.Module]]:
    """Yield the recipe's steps with their untrained models; a user's own networks are reloaded from their files.

    A model is valid until the next one is yielded: a model without later use is changed in place into the next.
    """
    noise = _noise(task)
    made: dict[str, nn.Module] = {}
    steps = plan(recipe, fingerprint="")
    last = {one.key: at for at, step in enumerate(steps) for one in (step.parent, step.original, step.teacher) if one}
    for at, step in enumerate(steps):
        parent_teaches = step.teacher is not None and step.parent is not None and step.teacher.key == step.parent.key
        in_place = step.parent is not None and last[step.parent.key] == at and not parent_teaches
        calibration = replace(task.train.first(IMAGES), goal=task.goal) if step.model.own else noise
        with naming_step(step):
            model = made[step.key] = _untrained(step, task, made, calibration, in_place=in_place)
        if step.model.own:
            check_own(step, model, task)
        yield step, model


def check(recipe: Recipe, task: Task) -> None:
    """Raise RecipeError when a stage cannot be applied to its model; only the deepest level is tried, as in `skeleton`.

    Also check the networks (`check_networks`), the labels (`check_targets`), and the reloading of a user's own
    networks.
    """
    check_targets(recipe, task)
    check_networks(recipe, task)
    _check_teacher(recipe, task)
    for step, model in _models(skeleton(recipe), task):
        if step.model.own:  # the zoo's networks take images after any cut
            with naming_step(step):
                count(model, task.shape)


def _check_teacher(recipe: Recipe, task: Task) -> None:
    """Raise RecipeError unless a user's own teacher computes the same after reloading from its files."""
    if recipe.teacher is not None and recipe.teacher.own and recipe.schooling is not None:
        alone = Recipe(recipe.task, recipe.teacher, (Train(recipe.schooling),))
        for _ in _models(alone, task):
            continue


def check_targets(recipe: Recipe, task: Task) -> None:
    """Raise RecipeError when the task's labels are not enough for a distillation method; no network is built."""
    for method in filter(None, (stage.distiller for stage in recipe.stages)):
        method.check_targets(task.train.targets)


def deepest(recipe: Recipe, task: Task, latency: LatencyModel | None = None) -> list[PredictedPoint]:
    """Return the points before any cut and at the deepest level, in float and int8: the least costs of the recipe.

    With `latency` the points have latencies.

    An adaptive method is assumed to leave one channel wherever it may cut. The list is empty where no stage can be
    applied to so few channels.
    """
    stages = tuple(stage.at_most() for stage in recipe.stages)
    try:
        return predict(replace(recipe, stages=tuple(stage.only_deepest() for stage in stages)), task, latency)
    except Exception:  # RecipeError, or any error of a user's own network with one channel
        if stages == recipe.stages:
            raise
        return []


def skeleton(recipe: Recipe) -> Recipe:
    """Reduce the recipe to the settings that decide whether the recipe can be carried out.

    Of two recipes with the same skeleton both can be carried out or neither can, if the labels allow. All levels but
    the deepest are removed. Unless a network is the user's own, int8, the seed, learning rates and teachers whose
    layers are not kept are removed as well.
    """
    stages = tuple(stage.only_deepest() for stage in recipe.stages)
    if any(model is not None and model.own for model in (recipe.student, recipe.teacher)):
        return replace(recipe, stages=stages)
    bare = tuple(part for stage in stages if (part := stage.structural()) is not None)
    distills = any(stage.distiller is not None for stage in bare)
    teacher, schooling = (recipe.teacher, recipe.schooling) if distills else (None, None)
    return replace(recipe, stages=bare, teacher=teacher, schooling=schooling, seed=0)


def depth(recipe: Recipe) -> tuple[str, float | None]:
    """Return the id of the skeleton but for the depth of its cut, and the depth, in (0, 1).

    Of recipes with equal ids all can be carried out if the deepest can. The rule does not hold without exactly one cut,
    or with a user's own network, which may accept only some sizes: then return the id of the whole skeleton, and None.
    """
    reduced = skeleton(recipe)
    cuts = [getattr(stage, "sparsity", None) for stage in reduced.stages if stage.cuts]
    sparsity = cuts[0] if len(cuts) == 1 else None
    own = any(model is not None and model.own for model in (reduced.student, reduced.teacher))
    if sparsity is None or own:
        return reduced.id, None
    return cut_to(reduced, SHALLOW).id, sparsity


def cut_to(recipe: Recipe, sparsity: float) -> Recipe:
    """Return the recipe with its cut as deep as `sparsity` in (0, 1)."""
    return replace(recipe, stages=tuple(stage.cut_to(sparsity) for stage in recipe.stages))


def check_networks(recipe: Recipe, task: Task) -> None:
    """Raise RecipeError unless teacher and student can be built and take the task's images, weights and methods."""
    models = [model for model in (recipe.teacher, recipe.student) if model is not None]
    for model in models:
        model.check(task.outputs, task.shape, softmax=task.goal.softmax, dense=task.goal.dense)
    distillers = list(filter(None, (stage.distiller for stage in recipe.stages)))
    for method in distillers:
        method.check_goal(task.goal)
    for model in models if distillers else ():
        if model.own:
            with torch.random.fork_rng(devices=[]):
                module = model.build(task.outputs, task.channels)
            name_taps(module, torch.zeros(1, *task.shape))
            for method in distillers:
                check_stages(method, module, str(model))


def _noise(task: Task) -> Batch:
    """Return four images of noise `(4, C, H, W)` in place of a task's, with random classes or the first targets."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, *task.shape, generator=generator)
    if task.goal.softmax and not task.goal.dense:
        targets = torch.randint(task.outputs, (4,), generator=generator)
    else:
        targets = task.train.target_at(torch.arange(min(4, len(task.train)))).cpu()
    return Batch(images, targets, torch.arange(4), goal=task.goal)


def _untrained(
    step: Step, task: Task, made: dict[str, nn.Module], calibration: Batch, *, in_place: bool = False
) -> nn.Module:
    if step.parent is None or step.original is None:
        with seeded():
            model = _filled(step.model.build(task.outputs, task.channels))
    else:
        full = step.stage.amount(made[step.original.key], calibration.images[:1])
        parent = made[step.parent.key]
        model = parent if in_place else copy.deepcopy(parent)
        model = step.stage.change(model, step.level, full=full, calibration=calibration)
    method = step.stage.distiller
    if method is not None and method.ships_adapter and step.teacher is not None:
        if step.teacher.key not in made:
            made[step.teacher.key] = _untrained(step.teacher, task, made, calibration)
        with seeded():
            loss = Teaching(
                model, made[step.teacher.key], method, calibration, targets=task.train.targets, goal=task.goal
            )
        _filled(loss.adapters)
        loss.ship()
    return model


def _filled(module: nn.Module) -> nn.Module:
    """Set zeros to one and return the module: biases start at zero but do not stay zero, only masks do."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter[parameter == 0] = 1.0
    return module
