"""A small plain CNN: three 3x3 convolutions with BN and ReLU, a max pooling between each two, a linear classifier.

About 24,000 parameters at width 1 for ten classes: small enough to train in seconds on one core, large enough to prune.
"""

from __future__ import annotations

from torch import Tensor, nn

from compress.models.family import Family, scaled


class CNN(nn.Module):
    """Three convolutions of 16, 32 and 64 channels times `width`; images may be 4x4 or larger."""

    taps = {"stage1": "stage1", "stage2": "stage2", "stage3": "stage3"}
    head = "classifier"
    pooling = "mean"

    def __init__(self, classes: int, channels: int, width: float) -> None:
        super().__init__()
        one, two, three = (scaled(c, width) for c in (16, 32, 64))
        self.stage1 = _block(channels, one)
        self.pool = nn.MaxPool2d(2)
        self.stage2 = _block(one, two)
        self.stage3 = _block(two, three)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(three, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(B, C, H, W)` to logits `(B, classes)`."""
        maps = self.stage3(self.pool(self.stage2(self.pool(self.stage1(images)))))
        logits: Tensor = self.classifier(self.flatten(self.mean(maps)))
        return logits


def _block(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU())


FAMILY: dict[str, Family] = {"cnn": Family(CNN, "small CNN of this project", "", least=4)}
