"""Check a user's own network before any training: after every step it trains, and computes the same once reloaded.

The tests check both for the zoo's networks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from compress.agreement import IMAGES, check_same
from compress.data.tasks import Task
from compress.errors import RecipeError, StoreError, said
from compress.plan import Step
from compress.stages import Stage
from compress.store.files import Files


def check_own(step: Step, model: nn.Module, task: Task) -> None:
    """Raise RecipeError unless a user's own network trains after this step and computes the same once reloaded."""
    images = task.train.first(IMAGES).images
    who = f"{step.model} after {_title(step.stage)}"
    wanted = (len(images), task.outputs, *(task.shape[1:] if task.goal.dense else ()))
    with seeded(1):  # not the seed that built the model: a number drawn anew must change the logits
        try:
            stored = files_of(step, model, task).module()
            trained = _copy(who, model).train()
            shape = trained(images.clone()).shape
            later = files_of(step, trained, task).module()
        except StoreError as error:
            raise RecipeError(f"{who}: cannot be stored, for it does not load again: {error}") from error
        except RecipeError:
            raise
        except Exception as error:  # a user's own forward may raise anything
            raise RecipeError(f"{who}: must still train, got {said(error)}") from error
    if shape != wanted:
        raise RecipeError(f"{who}: must give logits of shape {wanted}, got {tuple(shape)}")
    check_same(who, model, stored, images)
    check_same(f"{who} and some training", trained, later, images)


def _copy(who: str, model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:  # such as tensors in place of weights
        raise RecipeError(
            f"{who}: copy.deepcopy must be able to copy it ({said(error)}); use weight_norm and spectral_norm of "
            "torch.nn.utils.parametrizations"
        ) from error


def _title(stage: Stage) -> str:
    method = getattr(stage, "method", None)
    return f"{stage.name} by {method.name}" if method is not None else stage.name


def files_of(step: Step, model: nn.Module, task: Task) -> Files:
    """Return the files that would store the step's network."""
    return Files.of(model, step.model, classes=task.outputs, channels=task.channels)


@contextmanager
def naming_step(step: Step) -> Iterator[None]:
    """Turn any exception inside the context into a RecipeError that names the step."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:
        raise RecipeError(
            f"{step.title} cannot be done ({said(error)}); a forward that splits or shuffles channels by number fits "
            "no other"
        ) from error


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Seed torch inside the context and restore the random state of the caller afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
