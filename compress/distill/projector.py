"""A projector that becomes part of the student, in place of the pooling, before the teacher's classifier."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from compress.models.family import head_of


class Projector(nn.Module):
    """Convolutions 1x1, 3x3 and 1x1, each with BN and ReLU, followed by a global pooling.

    `widths` are the input, inner and output channels. Maps of another height and width are first averaged to `size`;
    None leaves the size.
    """

    def __init__(self, widths: tuple[int, int, int], size: tuple[int, int] | None) -> None:
        super().__init__()
        self.widths, self.size = widths, size
        outside, inside, wanted = widths
        self.resize = nn.Identity() if size is None else nn.AdaptiveAvgPool2d(size)
        self.layers = nn.Sequential(
            *_normed(nn.Conv2d(outside, inside, 1, bias=False)),
            *_normed(nn.Conv2d(inside, inside, 3, padding=1, bias=False)),
            *_normed(nn.Conv2d(inside, wanted, 1, bias=False)),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)

    @classmethod
    def unfilled(cls, widths: tuple[int, int, int], size: tuple[int, int] | None) -> Projector:
        """Make a projector that tells `widths` but has one channel at every layer.

        For a caller who replaces or reshapes every inner layer: after a cut the layers are far smaller than `widths`.
        """
        outside, inside, wanted = widths
        made = cls((1, 1, 1), size)
        made.widths = outside, inside, wanted
        return made

    def project(self, maps: Tensor) -> Tensor:
        """Project maps `(B, C, H, W)` to the other network's `(B, C', H', W')`."""
        projected: Tensor = self.layers(self.resize(maps))
        return projected

    def forward(self, maps: Tensor) -> Tensor:
        """Return the projected maps' mean, `(B, C', 1, 1)`."""
        pooled: Tensor = self.pool(self.project(maps))
        return pooled


def _normed(convolution: nn.Conv2d) -> tuple[nn.Module, ...]:
    return convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()


def pooling(model: nn.Module) -> str:
    """Return the path of the layer that averages the last map, or of a projector's pooling in its place.

    In a network without a `pooling` attribute, the layer is the last `nn.AdaptiveAvgPool2d` to one pixel; "" without
    any.
    """
    path = getattr(model, "pooling", None)
    if not isinstance(path, str):
        found = [name for name, layer in model.named_modules() if isinstance(layer, Projector) or _averages(layer)]
        path = found[-1] if found else ""
    while isinstance(model.get_submodule(path), Projector):
        path += ".pool"
    return path


def _averages(layer: nn.Module) -> bool:
    return isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1))


def ship(model: nn.Module, teacher: nn.Module, projector: nn.Module) -> None:
    """Replace the model's pooling by the projector, and the model's classifier by a copy of the teacher's."""
    model.set_submodule(pooling(model), projector)
    model.set_submodule(head_of(model), copy.deepcopy(teacher.get_submodule(head_of(teacher))))
