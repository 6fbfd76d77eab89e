"""What a model of the zoo is: a constructor, and what the rest of the house may ask of the module it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from compress.errors import RecipeError


@dataclass(frozen=True)
class Family:
    """One named model: `make(classes, channels, width)` returns a module; where `shortcuts` have a width, by that name.

    The module has `taps`, a dict of feature names to module paths, from input to output, and `head`, the path of
    its last linear layer, and `pooling`, the path of the layer that averages the last map to `(B, C, 1, 1)`, which the
    head reads: all but those that are `flat`, which flatten the last map. `source` is the link of the paper. Images are
    at least `least` pixels high and wide. Channels at other widths than 1 are rounded to multiples of `multiple`; with
    `fixed` there is no other width. `fingerprint` is the sha256 of a user's own source, which may change while its name
    does not; "" in the zoo.
    """

    make: Callable[..., nn.Module]
    title: str
    source: str
    least: int = 1
    multiple: int = 1
    fixed: bool = False
    flat: bool = False
    shortcuts: bool = False
    fingerprint: str = ""


def head_of(model: nn.Module) -> str:
    """Path of the classifier: the module's `head`, or `head_at` where that is something else; "" when it has none."""
    named = getattr(model, "head", None)
    return named if isinstance(named, str) else str(getattr(model, "head_at", ""))


def taps_of(model: nn.Module) -> Mapping[str, str]:
    """Names of feature maps to module paths: the module's `taps`, or `taps_at` where that is something else."""
    named = getattr(model, "taps", None)
    found: Mapping[str, str] = named if isinstance(named, Mapping) else getattr(model, "taps_at", {})
    return found


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, at least 1."""
    return max(1, round(channels * width))


def check_images(who: str, least: int, height: int, width: int) -> None:
    """Raise RecipeError unless images of that many pixels are at least `least` by `least`."""
    if min(height, width) < least:
        raise RecipeError(f"{who}: images must be at least {least}x{least}, got {height}x{width}")


def init_convolutions(model: nn.Module) -> None:
    """He's normal initialisation of every convolution, by its outputs: https://arxiv.org/abs/1502.01852."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
