"""Hints at a middle stage. Romero et al. 2015, https://arxiv.org/abs/1412.6550."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Outputs
from compress.distill.stages import stages
from compress.distill.weighted import Weighted
from compress.errors import RecipeError


@dataclass(frozen=True)
class FitNets(Weighted):
    """Matches the middle stages, `mean((r(f_s) - f_t)^2)`, along with the other terms from the start.

    `f_s` `(B, C_s, H_s, W_s)`, `f_t` `(B, C_t, H_t, W_t)`; `r`, trained beside the student, is a convolution to the
    teacher's width and size, then batch norm and ReLU. The convolution has no padding; its stride is the whole number
    of times that the student's map is larger, its kernel covers the rest. The convolution is transposed where the
    student's map is smaller. For maps of equal size the kernel is 1x1, and for a stride of 1 the layer is the paper's.
    Batch norm and ReLU are not the paper's, but `beta` was published with both, and is too large to train without.
    Batch norm needs full batches. Of n stages, counted from 0, the middle one is n // 2.
    """

    name: ClassVar[str] = "fitnets"
    source: ClassVar[str] = "https://arxiv.org/abs/1412.6550"
    full_batches: ClassVar[bool] = True

    beta: float = 100.0

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        """Return the middle stage."""
        named = stages(model)
        return (named[len(named) // 2],)

    def adapters(self, student: Outputs, teacher: Outputs, targets: Tensor) -> nn.Module:
        """Return the layers `r`."""
        (hinted,), (hint,) = student.taps.values(), teacher.taps.values()
        return nn.Sequential(regressor(hinted, hint), nn.BatchNorm2d(hint.shape[1]), nn.ReLU())

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return the mean over batch, channels and positions."""
        (hinted,), (hint,) = student.taps.values(), teacher.taps.values()
        return functional.mse_loss(adapters(hinted), hint)


def regressor(maps: Tensor, wanted: Tensor) -> nn.Conv2d | nn.ConvTranspose2d:
    """Return a convolution from maps `(B, C_s, H_s, W_s)` to the shape `(B, C_t, H_t, W_t)` of `wanted`.

    RecipeError for maps that would have to grow in height and shrink in width, or the reverse.
    """
    sizes, targets = tuple(maps.shape[2:]), tuple(wanted.shape[2:])
    each = list(zip(sizes, targets, strict=True))
    widths = maps.shape[1], wanted.shape[1]
    if all(size >= target for size, target in each):
        (high, stride_high), (wide, stride_wide) = (_kernel(size, target) for size, target in each)
        return nn.Conv2d(*widths, (high, wide), (stride_high, stride_wide))
    if all(size <= target for size, target in each):
        (high, stride_high), (wide, stride_wide) = (_kernel(target, size) for size, target in each)
        return nn.ConvTranspose2d(*widths, (high, wide), (stride_high, stride_wide))
    raise RecipeError(f"fitnets: one map must be at least as high and as wide as the other, got {sizes} and {targets}")


def _kernel(large: int, small: int) -> tuple[int, int]:
    """Return kernel and stride of an unpadded convolution from `large` positions to `small`, along one axis."""
    stride = large // small
    return large - (small - 1) * stride, stride
