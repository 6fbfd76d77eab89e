"""The wide ResNets of Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, for small images.

WRN-d-k has d layers in three stages of 16 k, 32 k and 64 k channels: pre-activation basic blocks, BN and ReLU before
each 3x3 convolution, no dropout, as in RepDistiller (https://arxiv.org/abs/1910.10699). In a block with another number
of channels out than in, the shortcut is a 1x1 convolution of the activated input. Parameters for 100 classes: 180,916
(16-1), 703,284 (16-2), 569,780 (40-1), 2,255,156 (40-2).
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from compress.models.family import Family, init_convolutions, scaled


class PreActivation(nn.Module):
    """Pre-activation block: BN, ReLU, 3x3 convolution, twice, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, C, H, W)` to the same shape."""
        out: Tensor = x + self.conv2(self.relu(self.bn2(self.conv1(self.relu(self.bn1(x))))))
        return out


class Widening(nn.Module):
    """Pre-activation block from `inner` to `outer` channels; the shortcut convolves the activated input (1x1)."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inner, H, W)` to `(B, outer, H / stride, W / stride)`."""
        active = self.relu(self.bn1(x))
        out: Tensor = self.shortcut(active) + self.conv2(self.relu(self.bn2(self.conv1(active))))
        return out


class WideResNet(nn.Module):
    """`depth` layers of `widen` times 16, 32 and 64 channels, all times `width`; the last two stages halve the map.

    The taps read maps before the next activation, except for the last: `last` is activated, as the classifier reads it.
    """

    taps = {"stem": "stem", "stage1": "stage1", "stage2": "stage2", "stage3": "last"}
    head = "classifier"
    pooling = "mean"

    def __init__(self, classes: int, channels: int, width: float, *, depth: int, widen: int) -> None:
        super().__init__()
        inner = scaled(16, width)
        self.stem = nn.Conv2d(channels, inner, 3, 1, 1, bias=False)
        stages = []
        for base, stride in ((16, 1), (32, 2), (64, 2)):
            outer = scaled(base * widen, width)
            same = stride == 1 and inner == outer
            first = PreActivation(outer) if same else Widening(inner, outer, stride)
            stages.append(nn.Sequential(first, *(PreActivation(outer) for _ in range((depth - 4) // 6 - 1))))
            inner = outer
        self.stage1, self.stage2, self.stage3 = stages
        self.last = nn.Sequential(nn.BatchNorm2d(inner), nn.ReLU())
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(inner, classes)
        init_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(B, C, H, W)` to logits `(B, classes)`."""
        maps = self.last(self.stage3(self.stage2(self.stage1(self.stem(images)))))
        logits: Tensor = self.classifier(self.flatten(self.mean(maps)))
        return logits


FAMILY: dict[str, Family] = {
    f"wrn-{depth}-{widen}": Family(
        partial(WideResNet, depth=depth, widen=widen), f"WRN-{depth}-{widen}", "https://arxiv.org/abs/1605.07146"
    )
    for depth in (16, 40)
    for widen in (1, 2)
}
