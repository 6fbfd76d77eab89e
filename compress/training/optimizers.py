"""Optimizers of the training loop: by name in `OPTIMIZERS`, or a function of the user's.

A function named as `FILE.py:NAME` or `package.module:NAME` is called as `function(groups, lr=..., weight_decay=...)`
and returns a `torch.optim.Optimizer` over the parameters of all groups, so that `torch.optim:NAdam` is a valid name.
The function may regroup the parameters, and may give groups rates of their own: the training loop multiplies each
group's rate by the decay. Like the source of a user's own network, the source of the function enters the keys of the
store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from compress.errors import RecipeError, said
from compress.models.own import load_function
from compress.own_code import FORM, guarding_settings, whole_path

if TYPE_CHECKING:
    from compress.training.settings import Training

Groups = Sequence[dict[str, Any]]
"""Parameter groups as torch's optimizers take them: `params`, and settings of a group's own."""
SECOND_BETA = 0.999


def _sgd(groups: Groups, training: Training) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        groups,
        training.lr,
        training.momentum,
        weight_decay=training.weight_decay,
        nesterov=training.momentum > 0,
    )


def _adamw(groups: Groups, training: Training) -> torch.optim.Optimizer:
    betas = training.momentum, SECOND_BETA
    return torch.optim.AdamW(groups, training.lr, betas, weight_decay=training.weight_decay)


OPTIMIZERS: dict[str, Callable[[Groups, Training], torch.optim.Optimizer]] = {"sgd": _sgd, "adamw": _adamw}


def is_own_optimizer(name: str) -> bool:
    """Return whether an optimizer's name is the path of a function."""
    return name not in OPTIMIZERS


def check_optimizer_name(name: object) -> None:
    """Raise RecipeError unless `name` is in `OPTIMIZERS` or has the form of a function's path; nothing is imported."""
    if not isinstance(name, str) or (name not in OPTIMIZERS and not FORM.fullmatch(name)):
        known = ", ".join(sorted(OPTIMIZERS))
        raise RecipeError(
            f"training: optimizer: unknown {name!r}, known are {known}, FILE.py:function and package.module:function"
        )


def check_found(name: object) -> None:
    """Raise RecipeError if `name` is the path of a function that cannot be imported; other names pass unchecked."""
    if isinstance(name, str) and name not in OPTIMIZERS and FORM.fullmatch(name):
        own_optimizer_source(whole_name(name))


def whole_name(name: str) -> str:
    """Return an optimizer's name, a file's path made absolute; a name of no known form stays."""
    return whole_path("optimizer", name) if FORM.fullmatch(name) else name


def own_optimizer_source(path: str) -> str:
    """Import the function at `path` and return the sha256 of its source; RecipeError if impossible."""
    return _own(path)[1]


@lru_cache(maxsize=64)
def _own(path: str) -> tuple[Callable[..., object], str]:
    return load_function(path)


def make_optimizer(training: Training, groups: Groups) -> torch.optim.Optimizer:
    """Return the training's optimizer over parameter groups.

    RecipeError when a user's own function raises, returns anything but an optimizer, or leaves parameters out.
    """
    if not is_own_optimizer(training.optimizer):
        return OPTIMIZERS[training.optimizer](groups, training)
    path = training.optimizer
    function, _ = _own(path)
    given = [{**group, "params": list(group["params"])} for group in groups]
    try:
        with guarding_settings(path):
            made = function(given, lr=training.lr, weight_decay=training.weight_decay)
    except RecipeError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise RecipeError(
            f"{path}: must make an optimizer when called as function(groups, lr=..., weight_decay=...), "
            f"got {said(error)}"
        ) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise RecipeError(f"{path}: must return a torch.optim.Optimizer, got a {type(made).__name__}")
    _check_complete(path, made, groups)
    return made


def _check_complete(path: str, made: torch.optim.Optimizer, groups: Groups) -> None:
    wanted = {id(parameter) for group in groups for parameter in group["params"]}
    held = {id(parameter) for group in made.param_groups for parameter in group["params"]}
    if held - wanted:
        raise RecipeError(f"{path}: must train the parameters of its groups alone, got {len(held - wanted)} others")
    if wanted - held:
        raise RecipeError(
            f"{path}: must train all {len(wanted)} parameter tensors of its groups, "
            f"got an optimizer that leaves out {len(wanted - held)}"
        )


def check_own_optimizer(training: Training, module: nn.Module) -> None:
    """Raise RecipeError unless a user's own optimizer can update the module, on random gradients.

    The module's weights change. An optimizer by name passes unchecked.
    """
    path = training.optimizer
    if not is_own_optimizer(path):
        return
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    made = make_optimizer(training, [{"params": learned}])
    generator = torch.Generator().manual_seed(0)
    for parameter in learned:
        parameter.grad = 1e-3 * torch.randn(parameter.shape, generator=generator)
    before = [parameter.detach().clone() for parameter in learned]
    try:
        with guarding_settings(path):
            made.step()
    except RecipeError:
        raise
    except (Exception, SystemExit) as error:
        raise RecipeError(
            f"{path}: step() of its optimizer must take no argument and update, got {said(error)}"
        ) from error
    if not all(torch.isfinite(parameter).all() for parameter in learned):
        raise RecipeError(f"{path}: step() of its optimizer must keep weights finite, got inf or nan after one step")
    if all(torch.equal(parameter, old) for parameter, old in zip(learned, before, strict=True)):
        raise RecipeError(f"{path}: step() of its optimizer must change the weights, got the same after one step")
