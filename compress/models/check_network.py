"""Check a user's own network before any training, in eval and in training mode.

In eval mode equal images must get equal logits, whatever the rest of their batch, and no random number may be drawn. In
training mode logits must have the same shape and a gradient. In neither mode may the images change. The check changes
the network's weights, statistics and mode.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.errors import RecipeError, said
from compress.models.check_constructed import check_tensors
from compress.models.family import head_of, taps_of
from compress.models.own import maps_of

IMAGES = 3
"""Images of the check. Batch norm needs two in training; a batch size fixed by mistake in a reshape is seldom three."""
CLOSE = 1e-4
"""Largest difference of equal logits, as a share of the largest logit: another batch changes the order of sums."""
CROWD = 512
"""Images of a batch when a model is measured."""
CROWD_S = 10.0
"""Seconds for `CROWD` images in the check; a slower network gets fewer."""
OF_CROWD = 1e-2
"""Largest difference of equal logits in a large batch, as a share of the largest logit: other kernels may run."""
SMALL = 0.1
"""Standard deviation of the noise in place of zero weights: a branch scaled by zero would go unchecked."""


def check_network(
    path: str, module: nn.Module, images: Tensor, outputs: tuple[int, ...], *, softmax: bool = True
) -> None:
    """Raise RecipeError unless a search can use the network; `images` are `(B, C, H, W)`, `IMAGES` of them suffice.

    `outputs` is the shape of the outputs for an image: `(K,)` or `(K, H, W)`. With `softmax` they must be logits.

    Weights must be finite, float32 and trainable. Forward passes must follow the rules of the module docstring, and
    call the classifier. The module is changed.
    """
    check_tensors(path, module)
    _fill_zeros(module)
    look = _Look(path, module, outputs, softmax)
    ran: list[nn.Module] = []
    hook = module.get_submodule(head_of(module)).register_forward_hook(lambda layer, *_: ran.append(layer))
    first = look.evaluate(images)
    hook.remove()
    if not ran:
        raise RecipeError(
            f"{path}: its classifier {head_of(module)} must be called in forward, it is not; "
            "name the layer that gives the logits in head"
        )
    look.check_alike(first, alone=look.evaluate(images[:1]), again=look.evaluate(images))
    look.check_crowd(first, images)
    _check_taps(path, module, images)
    with look.refusing("copy.deepcopy must copy it (of weight_norm take that of torch.nn.utils.parametrizations)"):
        copy.deepcopy(module)
    look.train(images)


@dataclass(frozen=True)
class _Look:
    """Run a network as a search does, and raise errors under the network's path."""

    path: str
    module: nn.Module
    outputs: tuple[int, ...]
    softmax: bool

    def evaluate(self, images: Tensor) -> Tensor:
        """Return outputs `(B, ...)` in eval mode; RecipeError if the network draws random numbers."""
        before = _random_state()
        with self.refusing(f"must take {_form_of(images)}"), torch.no_grad():
            logits = self._run(self.module.eval(), images, "must give")
        if _random_state() != before:
            raise RecipeError(
                f"{self.path}: must draw no random numbers in eval mode, it does{self._still_training()}; "
                "where forward calls F.dropout, give it training=self.training"
            )
        return logits

    def train(self, images: Tensor) -> None:
        """Run a step of the training loop without the update; RecipeError unless the classifier gets a gradient."""
        with self.refusing(f"must take {_form_of(images)} in training mode"):
            logits = self._run(self.module.train(), images, "in training mode must give")
        if not logits.requires_grad:
            raise RecipeError(
                f"{self.path}: its logits must have a gradient in training mode, they have none; "
                "run nothing in forward under torch.no_grad, and detach nothing"
            )
        with self.refusing("must be trained by the gradient of its logits"):
            logits.float().square().mean().backward()  # type: ignore[no-untyped-call]
        head = head_of(self.module)
        if all(weight.grad is None for weight in self.module.get_submodule(head).parameters()):
            raise RecipeError(
                f"{self.path}: its logits must come from its classifier {head}, they do not; "
                "name the layer they come from in head"
            )

    def check_alike(self, first: Tensor, *, alone: Tensor, again: Tensor) -> None:
        """Raise RecipeError unless the logits of a batch are equal `again`, and of its first image `alone`."""
        if _apart(first, again) > CLOSE:
            raise RecipeError(
                f"{self.path}: must give the same images the same logits in eval mode, got some "
                f"{_apart(first, again):.1%} apart{self._still_training()}; keep nothing in forward for the next call"
            )
        if _apart(first[:1], alone) > CLOSE:
            raise RecipeError(
                f"{self.path}: an image's logits must not depend on the rest of its batch in eval mode, got some "
                f"{_apart(first[:1], alone):.1%} apart{self._still_training()}; {_remedy(self.module)}"
            )
        if self.softmax and first.ge(0).all() and _apart(first.sum(1), torch.ones_like(first[:, 0])) < CLOSE:
            raise RecipeError(f"{self.path}: must give logits, got shares that add up to 1; leave the softmax out")

    def check_crowd(self, first: Tensor, images: Tensor) -> None:
        """RecipeError unless the images get the logits `first` at every place of a batch as large as a measurement's.

        A network of which so many images take longer than `CROWD_S` gets fewer.
        """
        start = time.perf_counter()
        self.evaluate(images)
        copies = min(CROWD, int(CROWD_S / (time.perf_counter() - start) * len(images))) // len(images)
        if copies > 1:
            crowd = self.evaluate(images.repeat(copies, 1, 1, 1))
            if _apart(first.repeat(copies, *[1] * len(self.outputs)), crowd) > OF_CROWD:
                raise RecipeError(
                    f"{self.path}: an image's logits must not depend on the size of its batch or its place there in "
                    f"eval mode, in a batch of {len(crowd)} they do; size no tensor in forward for a batch of your own"
                )

    @contextmanager
    def refusing(self, must: str) -> Iterator[None]:
        """Turn any error of the user's code into a RecipeError with the broken rule `must`."""
        try:
            yield
        except RecipeError:
            raise
        except (Exception, SystemExit) as error:  # a user's code may raise anything
            raise RecipeError(f"{self.path}: {must}, got {said(error)}") from error

    def _run(self, module: nn.Module, images: Tensor, must: str) -> Tensor:
        given = images.clone()
        logits: object = module(given)
        wanted = (len(images), *self.outputs)
        if not isinstance(logits, Tensor) or logits.shape != wanted or not logits.is_floating_point():
            raise RecipeError(
                f"{self.path}: {must} logits of shape {wanted}, got {_shown(logits)}; return the logits alone, "
                "in both modes"
            )
        if not torch.equal(given, images):
            raise RecipeError(
                f"{self.path}: must leave the images as they are, it changes them in place; begin forward with "
                "images = images.clone(), or its first layer with inplace=False"
            )
        broken = logits[~logits.isfinite()]
        if len(broken):
            raise RecipeError(f"{self.path}: {must} finite logits for images of noise, got {broken[0].item()}")
        return logits

    def _still_training(self) -> str:
        """Name the first layer in training mode after `eval()`, in brackets; "" without any."""
        name = next((name for name, layer in self.module.named_modules() if layer.training), None)
        return "" if name is None else f" ({name or 'it'} stays in training mode after eval())"


def _remedy(module: nn.Module) -> str:
    """Return the remedy for logits depending on the batch."""
    norms = {name: layer for name, layer in module.named_modules() if isinstance(layer, _BatchNorm)}
    bare = next((name for name, layer in norms.items() if layer.running_mean is None), None)
    return f"give {bare} track_running_stats=True" if bare else "take means over each image, not over the batch"


def _check_taps(path: str, module: nn.Module, images: Tensor) -> None:
    paths, taps = {name for name, _ in module.named_modules()}, taps_of(module)
    maps = {tap for tap, _ in maps_of(module, [tap for tap in taps.values() if tap in paths], images.clone())}
    for name, tap in taps.items():
        if tap not in maps:
            raise RecipeError(f"{path}: its tap {name!r} must give maps (B, C, H, W), once, got {tap!r}")


def _fill_zeros(module: nn.Module) -> None:
    with torch.no_grad():
        for weight in module.parameters():
            weight[weight == 0] = torch.randn(int((weight == 0).sum())) * SMALL


def _apart(first: Tensor, second: Tensor) -> float:
    """Return the largest difference, as a share of the largest absolute value of `first`."""
    return float((first - second).abs().max() / first.abs().max().clamp(min=1e-12))


def _random_state() -> tuple[object, ...]:
    """Return the states of the random generators of torch, Python and numpy."""
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr(np.random.get_state(legacy=False))


def _form_of(images: Tensor) -> str:
    return f"images of {'x'.join(map(str, images.shape[1:]))}"


def _shown(logits: object) -> str:
    if not isinstance(logits, Tensor):
        return f"a {type(logits).__name__}"
    kind = "" if logits.is_floating_point() else f"{str(logits.dtype).removeprefix('torch.')} of "
    return f"{kind}shape {tuple(logits.shape)}"
