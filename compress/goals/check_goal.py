"""Check a goal before any training: loss, imitation and metric take outputs and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from compress.errors import RecipeError, said
from compress.goals.goal import Goal, quality_of, widened

IMAGES = 4


def check_goal(who: str, goal: Goal, targets: Tensor) -> None:
    """Raise RecipeError unless the goal works on random outputs and the first of `targets` `(N, ...)`.

    Loss and imitation must be finite scalars with a gradient for the outputs. The metric must have a direction and a
    finite value. A user's own goal may raise anything.
    """
    some = widened(targets[:IMAGES].cpu())
    sides = tuple(some.shape[1:]) if goal.dense else ()
    drawn = torch.randn(2, len(some), goal.outputs, *sides, generator=torch.Generator().manual_seed(0))
    outputs, taught = drawn[0].requires_grad_(), drawn[1]
    _check_scalar(f"{who}: loss", lambda: goal.loss(outputs, some), outputs)
    _check_scalar(f"{who}: imitate", lambda: goal.imitate(outputs, taught, some, 4.0), outputs)
    if goal.counts_right:
        return
    with _refusing(f"{who}: quality"):
        quality_of(goal, targets.cpu())
        for meter in goal.also_metrics():
            meter.update(taught, some)


def _check_scalar(what: str, compute: Callable[[], Tensor], outputs: Tensor) -> None:
    with _refusing(what):
        value: object = compute()
    if not isinstance(value, Tensor) or value.dim() != 0:
        shape = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise RecipeError(f"{what} must be a scalar, the mean over the batch, got {shape}")
    if not torch.isfinite(value):
        raise RecipeError(f"{what} must be finite, got {value.item()} for outputs of noise")
    gradient = torch.autograd.grad(value, outputs, allow_unused=True)[0] if value.requires_grad else None
    if gradient is None:
        raise RecipeError(
            f"{what} must have a gradient for the outputs, it has none; detach nothing, compute with torch"
        )
    if not gradient.isfinite().all():
        raise RecipeError(f"{what} must have a finite gradient, got {gradient[~gradient.isfinite()][0].item()}")


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:  # a user's code may raise anything
        raise RecipeError(f"{what} must take outputs and targets, got {said(error)}") from error
