"""A model of the zoo: its constructor, and the attributes every module of a model has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from compress.errors import RecipeError


@dataclass(frozen=True)
class Family:
    """A named model: `make(classes, channels, width)` returns a module; with `shortcuts`, `make` takes them by name.

    The module has three attributes. `taps` maps names of feature maps to module paths, from input to output. `head` is
    the path of the last linear layer. `pooling` is the path of the layer averaging the last map to `(B, C, 1, 1)` for
    the head; a `flat` model flattens the last map and has no `pooling`.

    `title` names the model for people, `source` links its paper. Images must be at least `least` pixels high and wide.
    Channels are rounded to multiples of `multiple`, except at width 1; a `fixed` model has width 1 only. `fingerprint`
    is the sha256 of a user's own source code, "" in the zoo.
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
    """Return the path of the classifier: the module's `head`, or `head_at` if `head` is no path; "" without either."""
    named = getattr(model, "head", None)
    return named if isinstance(named, str) else str(getattr(model, "head_at", ""))


def taps_of(model: nn.Module) -> Mapping[str, str]:
    """Map names of feature maps to module paths: the module's `taps`, or `taps_at` if `taps` is no mapping."""
    named = getattr(model, "taps", None)
    found: Mapping[str, str] = named if isinstance(named, Mapping) else getattr(model, "taps_at", {})
    return found


def scaled(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded, at least 1."""
    return max(1, round(channels * width))


def check_images(who: str, least: int, height: int, width: int) -> None:
    """Raise RecipeError unless images of `height` x `width` pixels are at least `least` x `least`."""
    if min(height, width) < least:
        raise RecipeError(f"{who}: images must be at least {least}x{least}, got {height}x{width}")


def init_convolutions(model: nn.Module) -> None:
    """Initialise every convolution by He's normal distribution (fan out), in place:
    https://arxiv.org/abs/1502.01852."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
