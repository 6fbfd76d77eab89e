"""A projector that becomes part of the student: where it goes, and whose classifier comes after it."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from compress.models.family import head_of


class Projector(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, each with BN and ReLU, and the pooling behind them.

    `widths` are the channels that come in, those inside and those that come out. Maps of other height and width are
    averaged to `size` first; None takes them as they are.
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

    def project(self, maps: Tensor) -> Tensor:
        """Maps `(B, C, H, W)` to the other network's `(B, C', H', W')`."""
        projected: Tensor = self.layers(self.resize(maps))
        return projected

    def forward(self, maps: Tensor) -> Tensor:
        """The projected maps' mean, `(B, C', 1, 1)`."""
        pooled: Tensor = self.pool(self.project(maps))
        return pooled


def _normed(convolution: nn.Conv2d) -> tuple[nn.Module, ...]:
    return convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()


def pooling(model: nn.Module) -> str:
    """Path of the layer that averages the last map: the model's own, or the one of a projector in its place.

    In a network that does not name it, the last `nn.AdaptiveAvgPool2d` to one pixel; "" where there is none.
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
    """Put the projector in place of the model's pooling, and a copy of the teacher's classifier in place of its own."""
    model.set_submodule(pooling(model), projector)
    model.set_submodule(head_of(model), copy.deepcopy(teacher.get_submodule(head_of(teacher))))
