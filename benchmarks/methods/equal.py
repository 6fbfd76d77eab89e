"""Recipes of equal cost, so that a comparison is one of methods."""

from __future__ import annotations

from collections.abc import Callable

import torch

from compress.costs import predict
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.models import Model
from compress.recipe import Recipe

CLOSE_MACS = 0.01
"""What counts as equal."""


def at_macs(build: Callable[[float], Recipe], task: Task, sparsity: float, target: int) -> Recipe:
    """What is built at the sparsity that is foreseen to need `target` MACs, or just less.

    At `sparsity` itself if that is within a hundredth; at the deepest that can be built if none is deep enough.
    """

    def apart(share: float) -> float:
        try:
            return predict(build(share), task)[-1].costs.macs / target - 1
        except RecipeError:  # too deep
            return -1.0

    if abs(apart(sparsity)) <= CLOSE_MACS:
        return build(sparsity)
    low, high = 0.0, 0.99
    for _ in range(10):  # to a thousandth of the weights
        middle = round((low + high) / 2, 4)
        low, high = (middle, high) if apart(middle) > 0 else (low, middle)
    return build(high)


def narrower(task: Task, model: Model, params: int) -> Model:
    """The model at the width, in hundredths of its own, whose parameters are nearest to `params`."""

    def count(width: float) -> int:
        with torch.random.fork_rng(devices=[]):
            module = Model(model.family, width).build(task.outputs, task.channels)
        return sum(parameter.numel() for parameter in module.parameters())

    widths = [round(model.width * share / 100, 4) for share in range(1, 101)]
    return Model(model.family, min(widths, key=lambda width: abs(count(width) - params)))
