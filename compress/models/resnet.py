"""The CIFAR ResNets of He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2.

Depths 20, 32, 44, 56 and 110 stack basic blocks, 164 stacks bottlenecks (https://arxiv.org/abs/1603.05027). A shortcut
between different shapes is a 1x1 projection (option B), not zero padding (option A): the dependency graph for cutting
channels cannot follow zero padding. Projections add under 1 % of parameters to the published counts.

`resnet8x4` and `resnet32x4` follow RepDistiller (Tian et al. 2020, https://arxiv.org/abs/1910.10699): stem and stages
of 32, 64, 128 and 256 channels, with projections. For 100 classes they have 1,233,540 and 7,433,860 parameters.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from compress.models.family import Family, init_convolutions, scaled


class Basic(nn.Module):
    """Basic block: two 3x3 convolutions with `inside` channels between, and a shortcut."""

    expansion = 1

    def __init__(self, inner: int, inside: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, inside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.shortcut = _shortcut(inner, outer, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inner, H, W)` to `(B, outer, H / stride, W / stride)`."""
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu(y + self.shortcut(x))
        return out


class Bottleneck(nn.Module):
    """Bottleneck: 1x1, 3x3, 1x1 convolutions with `inside` channels between, and a shortcut; `outer` is 4 `inside`."""

    expansion = 4

    def __init__(self, inner: int, inside: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.shortcut = _shortcut(inner, outer, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inner, H, W)` to `(B, outer, H / stride, W / stride)`."""
        y = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        out: Tensor = self.relu(self.bn3(self.conv3(y)) + self.shortcut(x))
        return out


class ResNet(nn.Module):
    """A 3x3 stem and three stages of `widths` channels times `width`, the last two halving the map.

    Channels a shortcut adds to, all but the channels inside a block, are multiplied by `shortcuts` too.
    """

    taps = {"stem": "stem", "stage1": "stage1", "stage2": "stage2", "stage3": "stage3"}
    head = "classifier"
    pooling = "mean"

    def __init__(
        self,
        classes: int,
        channels: int,
        width: float,
        *,
        depth: int,
        widths: tuple[int, ...] = (16, 16, 32, 64),
        shortcuts: float = 1.0,
    ) -> None:
        super().__init__()
        block = Bottleneck if depth == 164 else Basic
        blocks = (depth - 2) // (9 if depth == 164 else 6)
        inner = scaled(widths[0], width * shortcuts)
        self.stem = nn.Sequential(nn.Conv2d(channels, inner, 3, 1, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU())
        stages = []
        for count, stride in zip(widths[1:], (1, 2, 2), strict=True):
            inside, outer = scaled(count, width), scaled(count, width * shortcuts) * block.expansion
            first = block(inner, inside, outer, stride)
            stages.append(nn.Sequential(first, *(block(outer, inside, outer, 1) for _ in range(blocks - 1))))
            inner = outer
        self.stage1, self.stage2, self.stage3 = stages
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(inner, classes)
        init_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(B, C, H, W)` to logits `(B, classes)`."""
        maps = self.stage3(self.stage2(self.stage1(self.stem(images))))
        logits: Tensor = self.classifier(self.flatten(self.mean(maps)))
        return logits


def _shortcut(inner: int, outer: int, stride: int) -> nn.Sequential:
    if stride == 1 and inner == outer:
        return nn.Sequential()
    return nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))


_REPDISTILLER = "https://arxiv.org/abs/1910.10699"
FAMILY: dict[str, Family] = {
    f"resnet{depth}": Family(
        partial(ResNet, depth=depth), f"CIFAR ResNet-{depth}", "https://arxiv.org/abs/1512.03385", shortcuts=True
    )
    for depth in (20, 32, 44, 56, 110, 164)
} | {
    f"resnet{depth}x4": Family(
        partial(ResNet, depth=depth, widths=(32, 64, 128, 256)),
        f"CIFAR ResNet-{depth}x4",
        _REPDISTILLER,
        shortcuts=True,
    )
    for depth in (8, 32)
}
