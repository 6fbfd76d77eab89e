"""Which feature maps of two networks belong together, whatever their number, widths and sizes.

A stage is a tap other than the stem. Stages are matched by position from the end: the last with the last, the one
before with the one before, until the network with fewer stages has no more. Of a pair the larger map is averaged down
to the smaller one's height and width; widths stay as they are, and are each method's own affair.
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
    """Names of the model's stages, from input to output."""
    return tuple(name for name in taps_of(model) if name != STEM)


def check_stages(method: Distiller, model: nn.Module, who: str) -> None:
    """RecipeError when the method reads feature maps and the model, named `who`, does not have them."""
    if method.reads(_Staged()) and not stages(model):
        raise RecipeError(f"{method.name}: reads feature maps and {who} has none; name some in its `taps`")
    if method.reads_last and not pooling(model):
        raise RecipeError(
            f"{method.name}: reads what is pooled and {who} has no nn.AdaptiveAvgPool2d(1); name its `pooling`"
        )


class _Staged(nn.Module):
    """Has a stage, so that a method says whether it reads any."""

    taps = {"stage": ""}


def pairs(student: Outputs, teacher: Outputs) -> list[tuple[Tensor, Tensor]]:
    """The maps read of matching stages, `(B, C_s, H, W)` and `(B, C_t, H, W)`, from input to output."""
    matched = zip(reversed(student.taps.values()), reversed(teacher.taps.values()), strict=False)
    return [same_size(s, t) for s, t in matched][::-1]


def same_size(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Two maps averaged down to the smaller height and the smaller width of both."""
    height, width = (min(a, b) for a, b in zip(one.shape[2:], other.shape[2:], strict=True))
    return _pooled(one, height, width), _pooled(other, height, width)


def _pooled(maps: Tensor, height: int, width: int) -> Tensor:
    return maps if maps.shape[2:] == (height, width) else functional.adaptive_avg_pool2d(maps, (height, width))
