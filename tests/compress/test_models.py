"""Parameters of the zoo at width 1 against the published figures, on three-channel images."""

from __future__ import annotations

import pytest
import torch

from compress.models import MODELS, Model

RESNETS = {20: 0.27e6, 32: 0.46e6, 44: 0.66e6, 56: 0.85e6, 110: 1.7e6, 164: 1.7e6}
"""He et al. 2016, table 6, and for 164 He et al. 2016b, table 4: ten classes, rounded."""
VGGS = {11: 9_225_984, 13: 9_410_880, 16: 14_723_136, 19: 20_035_392}
"""Convolutions and BN of torchvision's vggN_bn, which are the paper's configurations A, B, D and E."""
EXACT = {
    # RepDistiller's modules on CIFAR-100; 16-1 by the paper's arithmetic
    "resnet8x4": (100, 1_233_540),
    "resnet32x4": (100, 7_433_860),
    "wrn-16-1": (100, 180_916),
    "wrn-16-2": (100, 703_284),
    "wrn-40-1": (100, 569_780),
    "wrn-40-2": (100, 2_255_156),
    "vgg8": (100, 3_965_028),
    "vgg13": (100, 9_462_180),
}


def params(name: str, classes: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in Model(name).build(classes, 3).parameters())


def without_classifier(name: str) -> int:
    """A linear classifier of D features has (D + 1) parameters a class."""
    return params(name, 1) - (params(name, 2) - params(name, 1))


@pytest.mark.parametrize(("name", "classes", "published"), [(n, c, p) for n, (c, p) in EXACT.items()])
def test_parameters_are_the_published_ones(name: str, classes: int, published: int) -> None:
    assert params(name, classes) == published


@pytest.mark.parametrize(("depth", "published"), RESNETS.items())
def test_cifar_resnets_differ_by_their_two_projections(depth: int, published: float) -> None:
    """Option B adds 16 x 32 + 32 x 64 weights and BN; the bottlenecks of 164 have projections as published."""
    ours = params(f"resnet{depth}", 10) - (0 if depth == 164 else 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64)
    assert ours == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(("depth", "published"), VGGS.items())
def test_vggs_have_the_convolutions_of_the_paper(depth: int, published: int) -> None:
    assert without_classifier(f"vgg{depth}") == published


def test_vgg19_is_the_one_of_slimnets() -> None:
    assert params("vgg19", 10) == pytest.approx(20e6, rel=0.01)


def test_every_model_is_counted_against_a_publication() -> None:
    counted = {*EXACT, *(f"resnet{d}" for d in RESNETS), *(f"vgg{d}" for d in VGGS)}
    assert set(MODELS) - counted == {"cnn"}
