"""VGG with BN for small images: Simonyan & Zisserman 2014, https://arxiv.org/abs/1409.1556, one linear classifier.

The networks follow RepDistiller (https://arxiv.org/abs/1910.10699), VGG8 included: five blocks of 3x3 convolutions,
then the mean over the map in place of two hidden layers. Pooling follows the first three blocks only, as far as 8x8
images allow. Parameters: for 100 classes 3,965,028 (VGG8) and 9,462,180 (VGG13); for ten classes 20,040,522 (VGG19).
SlimNets has "about 20 M" for VGG19, with hidden layers of 512 and without BN.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from compress.models.family import Family, init_convolutions, scaled

CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS: dict[int, tuple[int, ...]] = {
    8: (1, 1, 1, 1, 1),
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions of each block by depth."""


class VGG(nn.Module):
    """Five blocks of 64, 128, 256, 512 and 512 channels times `width`; images may be 8x8 or larger."""

    taps = {f"block{i}": f"block{i}" for i in range(1, 6)}
    head = "classifier"
    pooling = "mean"

    def __init__(self, classes: int, channels: int, width: float, *, depth: int) -> None:
        super().__init__()
        inner = channels
        blocks = []
        for outer, convolutions in zip((scaled(c, width) for c in CHANNELS), CONVOLUTIONS[depth], strict=True):
            blocks.append(_block(inner, outer, convolutions))
            inner = outer
        self.block1, self.block2, self.block3, self.block4, self.block5 = blocks
        self.pool = nn.MaxPool2d(2)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(inner, classes)
        init_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(B, C, H, W)` to logits `(B, classes)`."""
        maps = self.pool(self.block2(self.pool(self.block1(images))))
        maps = self.block5(self.block4(self.pool(self.block3(maps))))
        logits: Tensor = self.classifier(self.flatten(self.mean(maps)))
        return logits


def _block(inner: int, outer: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU()]
        inner = outer
    return nn.Sequential(*layers)


FAMILY: dict[str, Family] = {
    f"vgg{depth}": Family(partial(VGG, depth=depth), f"VGG{depth} with BN", "https://arxiv.org/abs/1409.1556", least=8)
    for depth in CONVOLUTIONS
}
