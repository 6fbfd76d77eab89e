"""Augmentation: crops and flips by number, or any transform of a user's, such as torchvision's v2.

Random numbers of an epoch are drawn at once, one int64 an image, from the epoch's generator. The same numbers give the
same images: an epoch can be repeated from a checkpoint.
"""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compress.errors import said

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class AugmentError(ValueError):
    """Complaint about a user's batch transform, made before any training."""


@final
@dataclass(frozen=True)
class Augment:
    """Random crop after a black border of `padding` pixels, and a left-right flip with probability 1/2.

    An image has exactly `views` views, all equally likely. View v is the crop at row `v // 2 // k` and column
    `v // 2 % k` of the bordered image with k = 2 * padding + 1, flipped if v is odd. Without `flip`, view v is the crop
    at row `v // k` and column `v % k`. With `ignored`, targets (B, H, W) are cropped and flipped like their images;
    `ignored` is the target of the border.
    """

    padding: int
    flip: bool
    ignored: int | None = None

    @property
    def summary(self) -> str:
        """The augmentation in words."""
        done = [f"crop {self.padding}"] * (self.padding > 0) + ["flip"] * self.flip
        return f"augmented by {' and '.join(done)}" if done else "not augmented"

    @property
    def views(self) -> int:
        """Number of different views of an image: 162 for padding 4 with flip."""
        return (2 * self.padding + 1) ** 2 * (2 if self.flip else 1)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return a view for each of `count` images, int64 (count,), on the generator's device."""
        return torch.randint(self.views, (count,), generator=generator, device=generator.device)

    def show(self, images: Tensor, targets: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return images (B, C, H, W) and targets (B, ...) in their views (B,)."""
        shown = self.apply(images, view)
        if self.ignored is None:
            return shown, targets
        return shown, self._moved(targets[:, None], view, self.ignored)[:, 0]

    def apply(self, images: Tensor, view: Tensor) -> Tensor:
        """Return images (B, C, H, W) as their views (B,), each in [0, views); same type, shape and device."""
        return self._moved(images, view, 0)

    def _moved(self, images: Tensor, view: Tensor, border: int) -> Tensor:
        batch, channels, height, width = images.shape
        span = 2 * self.padding + 1
        place, flipped = (view // 2, view % 2 == 1) if self.flip else (view, torch.zeros_like(view).bool())
        across = torch.arange(width, device=images.device)
        rows = (place // span)[:, None] + torch.arange(height, device=images.device)
        columns = (place % span)[:, None] + torch.where(flipped[:, None], across.flip(0), across)
        # A single gather over flat pixels. Of nine ways tried on a CPU (window views, as_strided, row by row, numpy)
        # no other was faster with 1 or 2 threads; indexing a window view had two thirds of the rate.
        pixels = rows[:, :, None] * (width + 2 * self.padding) + columns[:, None, :]
        bordered = F.pad(images, (self.padding,) * 4, value=border).flatten(2)
        return bordered.gather(2, pixels.view(batch, 1, -1).expand(-1, channels, -1)).view_as(images)


@final
@dataclass(frozen=True, eq=False)
class Transform:
    """A user's transform of training images, on their raw scale, before normalisation; shape and scale stay.

    A function takes a batch: `function(images)`, with `targets` and `generator` where the function has parameters of
    these names. `images` are (B, C, H, W), the generator is on the CPU; a function with `targets` returns both. A
    module, such as a transform of torchvision's v2, takes one image (1, C, H, W) at a time, as in a `Dataset`; with
    `masks` also the targets (1, H, W), as v2's mask. Global states of torch, numpy and `random` are seeded with the
    epoch's numbers during a call, and restored.
    """

    function: Callable[..., Any]
    masks: bool = False

    @property
    def views(self) -> None:
        """None: the views of an image have no numbers."""
        return

    @property
    def name(self) -> str:
        """The function's name, or the transform's settings."""
        made = getattr(self.function, "__qualname__", None)
        return str(made) if made else " ".join(_ADDRESS.sub("", repr(self.function)).split())

    @property
    def summary(self) -> str:
        """The augmentation in words."""
        return f"augmented by {self.name}"

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return a number for each of `count` images, int64 (count,), on the CPU."""
        return torch.randint(2**62, (count,), generator=generator, device=generator.device).cpu()

    def show(self, images: Tensor, targets: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return the transformed images and targets; the numbers `view` (B,) seed all random states.

        A batch is seeded with its first number, an image taken alone with its own.
        """
        with _keeping_states(images.device):
            if not self._by_image:
                _seed(int(view[0]))
                return self._batch(images, targets, torch.Generator().manual_seed(int(view[0])))
            shown = []
            for row, number in enumerate(view.tolist()):
                _seed(number)
                shown.append(self._image(images[row : row + 1], targets[row : row + 1]))
        return torch.cat([image for image, _ in shown]), torch.cat([target for _, target in shown])

    def check(self, images: Tensor, targets: Tensor) -> None:
        """Try the transform on images (B, C, H, W) and targets; AugmentError with the broken rule."""
        who, shape = f"augment {self.name}", tuple(images.shape)
        try:
            shown, moved = self.show(images.clone(), targets.clone(), torch.zeros(len(images), dtype=torch.int64))
        except AugmentError:
            raise
        except Exception as error:  # a user's code may raise anything
            raise AugmentError(f"{who}: must take images {shape}, got {said(error)}") from error
        for what, made, wanted in (("images", shown, shape), ("targets", moved, tuple(targets.shape))):
            if not isinstance(made, Tensor) or tuple(made.shape) != wanted:
                got = tuple(made.shape) if isinstance(made, Tensor) else f"a {type(made).__name__}"
                raise AugmentError(f"{who}: must return {what} {wanted}, got {got}")
        if not torch.isfinite(shown).all():
            raise AugmentError(f"{who}: must return finite images, got {float(shown[~torch.isfinite(shown)][0])}")
        if images.dtype == torch.uint8 and images.max() > 2 and shown.is_floating_point() and shown.max() <= 1:
            raise AugmentError(
                f"{who}: must keep the images' scale, 0 to 255, got values up to {float(shown.max()):.3g}; leave out "
                "what scales or normalises, the task normalises"
            )

    @property
    def _by_image(self) -> bool:
        return isinstance(self.function, nn.Module) or type(self.function).__module__.startswith("torchvision.")

    def _image(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        if not self.masks:
            return self.function(image), target
        from compress.machine.vision import import_torchvision

        import_torchvision()
        from torchvision import tv_tensors

        shown, moved = self.function(tv_tensors.Image(image), tv_tensors.Mask(target))
        return shown.as_subclass(Tensor), moved.as_subclass(Tensor)

    def _batch(self, images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        known = parameters_of(self.function)
        named = {"targets": targets, "generator": generator}
        found = self.function(images, **{name: value for name, value in named.items() if name in known})
        if "targets" not in known:
            return found, targets
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise AugmentError(f"augment {self.name}: must return images and targets, got a {type(found).__name__}")
        return found[0], found[1]


Augmentation = Augment | Transform


def parameters_of(function: Callable[..., Any]) -> frozenset[str]:
    """Return the names of a function's parameters, () without a signature."""
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()


@contextmanager
def _keeping_states(device: torch.device) -> Iterator[None]:
    """Restore the global random states of torch, numpy and `random` afterwards."""
    python, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)


def _seed(number: int) -> None:
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number % 2**32)
