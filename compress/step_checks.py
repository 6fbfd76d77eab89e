"""What a user's own network is held to before anything trains: after every step it trains, and comes back the same.

The zoo's networks are held to both by the tests.
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
    """RecipeError unless a user's own network still trains after this step, and comes back from its files the same."""
    images = task.train.first(IMAGES).images
    who, classes = f"{step.model} after {_named(step.stage)}", len(task.classes)
    with seeded(1):  # the model was made under another seed: what is drawn and not stored must show
        try:
            stored = files_of(step, model, task).module()
            trained = _copied(who, model).train()
            shape = trained(images.clone()).shape
            later = files_of(step, trained, task).module()
        except StoreError as error:
            raise RecipeError(f"{who}: cannot be stored, for it does not load again: {error}") from error
        except RecipeError:
            raise
        except Exception as error:  # a user's own forward may raise anything
            raise RecipeError(f"{who}: must still train, got {said(error)}") from error
    if shape != (len(images), classes):
        raise RecipeError(f"{who}: must give logits of shape ({len(images)}, {classes}), got {tuple(shape)}")
    check_same(who, model, stored, images)
    check_same(f"{who} and some training", trained, later, images)


def _copied(who: str, model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:  # such as tensors in place of weights
        raise RecipeError(
            f"{who}: copy.deepcopy must be able to copy it ({said(error)}); of weight_norm and spectral_norm take "
            "those of torch.nn.utils.parametrizations"
        ) from error


def _named(stage: Stage) -> str:
    method = getattr(stage, "method", None)
    return f"{stage.name} by {method.name}" if method is not None else stage.name


def files_of(step: Step, model: nn.Module, task: Task) -> Files:
    """The step's network as it would be stored."""
    return Files.of(model, step.model, classes=len(task.classes), channels=task.channels)


@contextmanager
def blamed(step: Step) -> Iterator[None]:
    """A RecipeError that names the step, of what a library or a user's own code raises inside."""
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
    """The same random numbers every time, without touching anyone else's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
