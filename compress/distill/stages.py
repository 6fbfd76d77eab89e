"""Match the feature maps of two networks, whatever their number, widths and sizes.

A stage is a tap other than the stem. Stages are matched by position from the end: last with last, second last with
second last, until the network with fewer stages runs out. The larger map of a pair is averaged down to the height and
width of the smaller. Widths stay; each method treats them in its own way.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Distiller, Outputs
from compress.distill.projector import pooling
from compress.errors import RecipeError
from compress.models.family import taps_of

STEM = "stem"


def stages(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the model's stages, from input to output."""
    return tuple(name for name in taps_of(model) if name != STEM)


def check_stages(method: Distiller, model: nn.Module, who: str) -> None:
    """Raise RecipeError when the method reads feature maps missing in the model, called `who`."""
    if method.reads(_Staged()) and not stages(model):
        raise RecipeError(f"{method.name}: reads feature maps and {who} has none; name some in its `taps`")
    if method.reads_last and not pooling(model):
        raise RecipeError(
            f"{method.name}: reads what is pooled and {who} has no nn.AdaptiveAvgPool2d(1); name its `pooling`"
        )


class _Staged(nn.Module):
    """A network with a stage, to ask a method whether any stage is read."""

    taps = {"stage": ""}


def pairs(student: Outputs, teacher: Outputs) -> list[tuple[Tensor, Tensor]]:
    """Return the maps of matching stages, `(B, C_s, H, W)` and `(B, C_t, H, W)`, from input to output."""
    matched = zip(reversed(student.taps.values()), reversed(teacher.taps.values()), strict=False)
    return [same_size(s, t) for s, t in matched][::-1]


def same_size(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Average two maps down to the smaller height and the smaller width of both."""
    height, width = (min(a, b) for a, b in zip(one.shape[2:], other.shape[2:], strict=True))
    return _pooled(one, height, width), _pooled(other, height, width)


def _pooled(maps: Tensor, height: int, width: int) -> Tensor:
    return maps if maps.shape[2:] == (height, width) else functional.adaptive_avg_pool2d(maps, (height, width))
