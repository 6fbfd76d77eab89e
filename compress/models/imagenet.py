"""torchvision's networks with the stem fitted to small images.

ResNet (He et al. 2015, https://arxiv.org/abs/1512.03385), DenseNet (Huang et al. 2016,
https://arxiv.org/abs/1608.06993), EfficientNet (Tan & Le 2019, https://arxiv.org/abs/1905.11946), MobileNetV2 (Sandler
et al. 2018, https://arxiv.org/abs/1801.04381). Made for 224x224 images, the networks halve the map five times. As is
usual on CIFAR, the stem here is a 3x3 convolution of stride 1 without pooling, so that 8x8 images suffice; 224x224
images still work. All other layers are torchvision's: for 1000 classes torchvision's resnet18 has 11.69 M parameters,
mobilenet_v2 3.50 M. A stem of 7x7 in torchvision has 40 more weights for each of its channels and colours.

`width` multiplies growth rate and first channels of DenseNet. For MobileNetV2 and EfficientNet, `width` is the papers'
width multiplier, rounded to multiples of 8 channels; the last convolution of MobileNetV2 never shrinks. ResNet has
width 1 only.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from torch import nn

from compress.machine.vision import import_torchvision
from compress.models.family import Family, scaled

DENSENETS: dict[int, tuple[int, int, tuple[int, ...]]] = {
    121: (32, 64, (6, 12, 24, 16)),
    161: (48, 96, (6, 12, 36, 24)),
    169: (32, 64, (6, 12, 32, 32)),
    201: (32, 64, (6, 12, 48, 32)),
}
"""Growth rate, first channels and layers of each block by depth."""
EFFICIENTNETS = ((1.0, 1.0, 0.2), (1.0, 1.1, 0.2), (1.1, 1.2, 0.3), (1.2, 1.4, 0.3), (1.4, 1.8, 0.4), (1.6, 2.2, 0.4))
"""Width and depth multiplier and dropout of B0 to B5."""
STAGES = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)
"""EfficientNet's stages: expansion, kernel, stride, channels in and out, layers."""


def resnet(classes: int, channels: int, width: float, *, depth: int) -> nn.Module:
    """Build torchvision's ResNet of `depth`; `width` must be 1, checked by `Model`."""
    made = getattr(_models(), f"resnet{depth}")(num_classes=classes)
    made.conv1 = _stem(channels, 64)
    made.maxpool = nn.Identity()
    return _fitted(made, {"stem": "relu", **{f"stage{i}": f"layer{i}" for i in range(1, 5)}}, "fc", "avgpool")


def densenet(classes: int, channels: int, width: float, *, depth: int) -> nn.Module:
    """Build torchvision's DenseNet of `depth`; `width` multiplies growth rate and first channels."""
    growth, first, blocks = DENSENETS[depth]
    made = _models().DenseNet(scaled(growth, width), blocks, scaled(first, width), num_classes=classes)
    made.features.conv0 = _stem(channels, scaled(first, width))
    made.features.pool0 = nn.Identity()
    made.features.add_module("relu5", nn.ReLU(inplace=True))
    made.features.add_module("pool5", nn.AdaptiveAvgPool2d(1))  # torchvision's forward repeats both, without effect
    blocks_at = {f"block{i}": f"features.denseblock{i}" for i in (1, 2, 3)}
    taps = {"stem": "features.relu0", **blocks_at, "block4": "features.relu5"}
    return _fitted(made, taps, "classifier", "features.pool5")


def mobilenet(classes: int, channels: int, width: float) -> nn.Module:
    """Build torchvision's MobileNetV2; `width` is the paper's width multiplier."""
    made = _models().MobileNetV2(classes, width)
    first = made.features[0]
    first[0] = _stem(channels, first[0].out_channels)
    made.features.append(nn.AdaptiveAvgPool2d(1))  # torchvision's forward pools again, without effect
    places = {"stem": 0, "stage1": 3, "stage2": 6, "stage3": 13, "stage4": 18}
    taps = {name: f"features.{place}" for name, place in places.items()}
    return _fitted(made, taps, "classifier.1", "features.19")


def efficientnet(classes: int, channels: int, width: float, *, size: int) -> nn.Module:
    """Build torchvision's EfficientNet B0 to B5 by `size`; `width` multiplies the paper's width multiplier."""
    module = _models().efficientnet
    wide, deep, dropout = EFFICIENTNETS[size]
    stages = [module.MBConvConfig(*stage, width_mult=wide * width, depth_mult=deep) for stage in STAGES]
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01) if size == 5 else None
    made = module.EfficientNet(stages, dropout, num_classes=classes, norm_layer=norm)
    first = made.features[0]
    first[0] = _stem(channels, first[0].out_channels)
    places = {"stem": 0, "stage1": 2, "stage2": 3, "stage3": 5, "stage4": 8}
    return _fitted(made, {name: f"features.{place}" for name, place in places.items()}, "classifier.1", "avgpool")


def _models() -> Any:
    module: ModuleType = import_torchvision().models
    return module


def _stem(channels: int, outer: int) -> nn.Conv2d:
    stem = nn.Conv2d(channels, outer, 3, 1, 1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    return stem


def _fitted(made: Any, taps: dict[str, str], head: str, pooling: str) -> nn.Module:
    """Set `taps`, `head` and `pooling` (see `Family`) on a module of torchvision's, in place; return the module."""
    model: nn.Module = made
    made.taps, made.head, made.pooling = taps, head, pooling
    return model


PRETRAINED = {
    **{f"resnet{depth}": f"resnet{depth}" for depth in (18, 34, 50, 101, 152)},
    **{f"densenet{depth}": f"densenet{depth}" for depth in DENSENETS},
    **{f"efficientnet-b{size}": f"efficientnet_b{size}" for size in range(len(EFFICIENTNETS))},
    "mobilenetv2": "mobilenet_v2",
}
"""Torchvision's name of each network, the key to its published weights."""

FAMILY: dict[str, Family] = {
    **{
        f"resnet{depth}": Family(
            partial(resnet, depth=depth),
            f"torchvision's ResNet-{depth}",
            "https://arxiv.org/abs/1512.03385",
            fixed=True,
        )
        for depth in (18, 34, 50, 101, 152)
    },
    **{
        f"densenet{depth}": Family(
            partial(densenet, depth=depth),
            f"torchvision's DenseNet-{depth}",
            "https://arxiv.org/abs/1608.06993",
            least=8,
        )
        for depth in DENSENETS
    },
    **{
        f"efficientnet-b{size}": Family(
            partial(efficientnet, size=size),
            f"torchvision's EfficientNet-B{size}",
            "https://arxiv.org/abs/1905.11946",
            multiple=8,
        )
        for size in range(len(EFFICIENTNETS))
    },
    "mobilenetv2": Family(mobilenet, "torchvision's MobileNetV2", "https://arxiv.org/abs/1801.04381", multiple=8),
}
