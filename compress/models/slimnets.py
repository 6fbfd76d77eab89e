"""The students of SlimNets (Oguntola et al. 2018, https://arxiv.org/abs/1808.00496), table of section 3.3.3.

Shapes as in the authors' code, https://github.com/ChristopherSweeney/SlimNets; parameters for ten classes on 32x32
colour images, published in brackets: `snn-1k` 413,882 (415k), `snn-10k` 4,112,882 (4M), `cnn-1k` 488,806 (490k),
`cnn-10k` 4,853,806 (4.9M), `alexnet` 2,472,266 (2.5M), `nin` 966,986 (965k). As in the paper, no network has BN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from compress.models.family import Family, check_images, scaled

LEAST = 14
"""Side in pixels of the smallest image of SNN and CNN: the second 5x5 convolution needs a 5x5 map."""


class Sides(nn.Module):
    """Pass images on unchanged; RecipeError in the name of `who` for images smaller than `least` x `least`."""

    def __init__(self, who: str, least: int) -> None:
        super().__init__()
        self.who, self.least = who, least

    def forward(self, images: Tensor) -> Tensor:
        """Return images `(B, C, H, W)` unchanged."""
        height, width = images.shape[2:]
        check_images(self.who, self.least, height, width)
        return images


class Shallow(nn.Module):
    """Two 5x5 convolutions of 6 and 16 channels, then `hidden` layers of units, all times `width`.

    The second pooling gives a 5x5 map, as for 32x32 images: images of any size fit the same linear layers.
    """

    taps = {"stage1": "stage1", "stage2": "stage2"}
    head = "classifier"

    def __init__(self, classes: int, channels: int, width: float, *, who: str, hidden: tuple[int, ...]) -> None:
        super().__init__()
        one, two = scaled(6, width), scaled(16, width)
        self.sides = Sides(who, LEAST)
        self.stage1 = nn.Sequential(nn.Conv2d(channels, one, 5), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.stage2 = nn.Sequential(nn.Conv2d(one, two, 5), nn.ReLU())
        self.fit = nn.AdaptiveMaxPool2d(5)
        self.flatten = nn.Flatten()
        inner = two * 25
        layers: list[nn.Module] = []
        for units in (scaled(units, width) for units in hidden):
            layers += [nn.Linear(inner, units), nn.ReLU()]
            inner = units
        self.hidden = nn.Sequential(*layers)
        self.classifier = nn.Linear(inner, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(B, C, H, W)` of at least 14x14 to logits `(B, classes)`."""
        maps = self.stage2(self.pool(self.stage1(self.sides(images))))
        logits: Tensor = self.classifier(self.hidden(self.flatten(self.fit(maps))))
        return logits


class AlexNet(nn.Module):
    """Five convolutions of 64, 192, 384, 256 and 256 channels times `width`, the first 11x11 with stride 4.

    Images may have any size: pooling keeps a map of 1x1 as it is.
    """

    taps = {f"stage{i}": f"stage{i}" for i in (1, 2, 3)}
    head = "classifier"
    pooling = "mean"

    def __init__(self, classes: int, channels: int, width: float) -> None:
        super().__init__()
        a, b, c, d = (scaled(n, width) for n in (64, 192, 384, 256))
        self.stage1 = nn.Sequential(nn.Conv2d(channels, a, 11, 4, 5), nn.ReLU())
        self.stage2 = nn.Sequential(nn.Conv2d(a, b, 5, padding=2), nn.ReLU())
        self.stage3 = nn.Sequential(*_convolution(b, c, 3), *_convolution(c, d, 3), *_convolution(d, d, 3))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(d, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(B, C, H, W)` to logits `(B, classes)`."""
        maps = self.pool(self.stage3(self.pool(self.stage2(self.pool(self.stage1(images))))))
        logits: Tensor = self.classifier(self.flatten(self.mean(maps)))
        return logits


class NetworkInNetwork(nn.Module):
    """Lin et al. 2013, https://arxiv.org/abs/1312.4400: 5x5, 5x5 and 3x3 convolutions, two 1x1 after each.

    In the paper the last 1x1 gives a map for each class, and the logit is the mean of the map. Mean and 1x1 are both
    linear: here the mean comes first and the 1x1 is the linear classifier, the same function of the same weights. The
    authors' code has a ReLU on the class maps; the ReLU is left out here, since with it no logit could be negative.
    """

    taps = {f"stage{i}": f"stage{i}" for i in (1, 2, 3)}
    head = "classifier"
    pooling = "mean"

    def __init__(self, classes: int, channels: int, width: float) -> None:
        super().__init__()
        a, b, c = (scaled(n, width) for n in (192, 160, 96))
        self.stage1 = nn.Sequential(*_convolution(channels, a, 5), *_convolution(a, b, 1), *_convolution(b, c, 1))
        self.pool1 = nn.MaxPool2d(3, 2, 1)
        self.stage2 = nn.Sequential(*_convolution(c, a, 5), *_convolution(a, a, 1), *_convolution(a, a, 1))
        self.pool2 = nn.AvgPool2d(3, 2, 1)
        self.dropout = nn.Dropout(0.5)
        self.stage3 = nn.Sequential(*_convolution(a, a, 3), *_convolution(a, a, 1))
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(a, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(B, C, H, W)` to logits `(B, classes)`."""
        maps = self.dropout(self.pool1(self.stage1(images)))
        maps = self.stage3(self.dropout(self.pool2(self.stage2(maps))))
        logits: Tensor = self.classifier(self.flatten(self.mean(maps)))
        return logits


def _convolution(inner: int, outer: int, size: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inner, outer, size, padding=size // 2), nn.ReLU()


_SOURCE = "https://arxiv.org/abs/1808.00496"
_HIDDEN = {"snn-1k": (1000,), "snn-10k": (10000,), "cnn-1k": (1000, 84), "cnn-10k": (10000, 84)}


def _shallow(name: str, hidden: tuple[int, ...]) -> Family:
    make: Callable[[int, int, float], nn.Module] = partial(Shallow, who=name, hidden=hidden)
    return Family(make, f"{name.upper()} of SlimNets", _SOURCE, least=LEAST, flat=True)


FAMILY: dict[str, Family] = {
    **{name: _shallow(name, hidden) for name, hidden in _HIDDEN.items()},
    "alexnet": Family(AlexNet, "AlexNet of SlimNets", _SOURCE),
    "nin": Family(NetworkInNetwork, "Network in Network", "https://arxiv.org/abs/1312.4400"),
}
