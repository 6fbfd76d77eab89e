"""Parameters of the zoo at width 1 against the published figures, for colour images; what its models refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from compress.codec import decode
from compress.costs import check
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import KD
from compress.encoding import encode
from compress.errors import RecipeError
from compress.models import MODELS, Model
from compress.pruning import L1Filter
from compress.pruning.channels import cut_channels
from compress.pruning.pruner import weight_count, weighted_layers
from compress.recipe import Recipe
from compress.stages import Distill, Train
from compress.store.files import Files
from compress.training.settings import Training
from tests.unfilled import unfilled

RESNETS = {20: 0.27e6, 32: 0.46e6, 44: 0.66e6, 56: 0.85e6, 110: 1.7e6, 164: 1.7e6}
"""He et al. 2016, table 6, and for 164 He et al. 2016b, table 4: ten classes, rounded."""
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
    # pytorch-cifar's modules on CIFAR-10, whose VGGs and stems are the same
    "vgg11": (10, 9_231_114),
    "vgg16": (10, 14_728_266),
    "vgg19": (10, 20_040_522),
    "resnet18": (10, 11_173_962),
    "resnet34": (10, 21_282_122),
    "resnet50": (10, 23_520_842),
    "resnet101": (10, 42_512_970),
    "resnet152": (10, 58_156_618),
}
IMAGENET = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "efficientnet-b0": 5_288_548,
    "efficientnet-b1": 7_794_184,
    "efficientnet-b2": 9_109_994,
    "efficientnet-b3": 12_233_232,
    "efficientnet-b4": 19_341_616,
    "efficientnet-b5": 30_389_784,
    "mobilenetv2": 3_504_872,
}
"""As torchvision publishes them with its weights, for 1000 classes."""
SLIMNETS = {
    "snn-1k": (415e3, 413_882),
    "snn-10k": (4e6, 4_112_882),
    "cnn-1k": (490e3, 488_806),
    "cnn-10k": (4.9e6, 4_853_806),
    "alexnet": (2.5e6, 2_472_266),
    "nin": (965e3, 966_986),
}
"""SlimNets, table of section 3.3.3, for ten classes, and what the shapes of its code come to."""


def params(name: str, classes: int) -> int:
    return sum(p.numel() for p in unfilled(Model(name), classes, 3).parameters())


@pytest.mark.parametrize(("name", "classes", "published"), [(n, c, p) for n, (c, p) in EXACT.items()])
def test_parameters_are_the_published_ones(name: str, classes: int, published: int) -> None:
    assert params(name, classes) == published


@pytest.mark.parametrize(("depth", "published"), RESNETS.items())
def test_cifar_resnets_differ_by_their_two_projections(depth: int, published: float) -> None:
    """Option B adds 16 x 32 + 32 x 64 weights and BN; the bottlenecks of 164 have projections as published."""
    ours = params(f"resnet{depth}", 10) - (0 if depth == 164 else 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64)
    assert ours == pytest.approx(published, rel=0.02)


def test_vgg19_is_as_large_as_the_one_of_slimnets() -> None:
    assert params("vgg19", 10) == pytest.approx(20e6, rel=0.01)


@pytest.mark.parametrize(("name", "published"), IMAGENET.items())
def test_a_small_stem_is_all_that_differs_from_torchvision(name: str, published: int) -> None:
    """3x3 in the place of 7x7 on three colours, in ResNet and DenseNet; the others have a 3x3 stem themselves."""
    stem = next(iter(weighted_layers(unfilled(Model(name), 1000, 3)).values()))
    had = 7 if name.startswith(("resnet", "densenet")) else 3
    assert stem.weight.shape[1:] == (3, 3, 3)
    assert params(name, 1000) == published - (had**2 - 3**2) * 3 * stem.weight.shape[0]


@pytest.mark.parametrize(("name", "published", "exact"), [(n, *both) for n, both in SLIMNETS.items()])
def test_slimnets_students_are_as_large_as_published(name: str, published: float, exact: int) -> None:
    assert params(name, 10) == exact
    assert exact == pytest.approx(published, rel=0.03)


def test_every_model_is_counted_against_a_publication() -> None:
    counted = {*EXACT, *IMAGENET, *SLIMNETS, *(f"resnet{d}" for d in RESNETS)}
    assert set(MODELS) - counted == {"cnn"}


def test_the_zoo_loads_torchvision_only_to_build_its_models() -> None:
    code = "import sys, compress.codec; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_images_too_small_for_a_model_are_refused_before_it_trains(role: str, digits: Task) -> None:
    small, once = Model("cnn-1k", 0.1), Training(epochs=1)
    recipe = Recipe("digits", small, (Train(once),))
    if role == "teacher":
        recipe = Recipe("digits", Model("cnn"), (Distill(KD(), once),), small, once)
    with pytest.raises(RecipeError, match="cnn-1k: images must be at least 14x14, got 8x8"):
        check(recipe, digits)


@pytest.mark.parametrize("name", ["mobilenetv2", "efficientnet-b0"])
def test_a_light_model_of_torchvision_is_cut_by_half_its_weights(name: str, calibration: Batch) -> None:
    model = Model(name, 0.25).build(10, 1).eval()
    at_most = weight_count(model) // 2
    cut_channels(model, L1Filter(), at_most, calibration)
    assert 0.8 * at_most < weight_count(model) <= at_most
    assert Files.of(model, Model(name, 0.25), classes=10, channels=1).module()(calibration.images).isfinite().all()


@pytest.mark.parametrize(("name", "outer"), [("resnet20", 64), ("resnet8x4", 256), ("resnet164", 256)])
def test_shortcuts_can_be_narrowed_by_themselves(name: str, outer: int) -> None:
    full, made = (unfilled(Model(name, shortcuts=share), 10, 3) for share in (1.0, 0.25))
    layers, before = weighted_layers(made), weighted_layers(full)
    assert layers.keys() == before.keys()
    last = "conv3" if name == "resnet164" else "conv2"
    for path, layer in layers.items():
        fixed = path.endswith(last) or "shortcut" in path or "stem" in path
        share = 1 if path == "classifier" or not fixed else 4
        assert layer.weight.shape[0] * share == before[path].weight.shape[0], path
    assert layers["classifier"].weight.shape[1] * 4 == outer


def test_a_model_without_a_width_for_its_shortcuts_refuses_one() -> None:
    for name in ("cnn", "wrn-16-1", "resnet18"):
        with pytest.raises(RecipeError, match=f"{name}: shortcuts must be 1, .* got 0.5"):
            Model(name, shortcuts=0.5)
    with pytest.raises(RecipeError, match="resnet20: shortcuts must be above 0, got 0"):
        Model("resnet20", shortcuts=0)


def test_the_width_of_shortcuts_is_in_json_only_if_it_is_one() -> None:
    plain, narrow = encode(Model("resnet20")), encode(Model("resnet20", 0.5, shortcuts=0.5))
    assert plain == {"type": "model", "family": "resnet20", "width": 1.0}
    assert narrow == {"type": "model", "family": "resnet20", "width": 0.5, "shortcuts": 0.5}
    assert decode(narrow) == Model("resnet20", 0.5, shortcuts=0.5)
    assert str(decode(narrow)) == "resnet20 x0.5, shortcuts x0.5"


@pytest.mark.parametrize("name", ["cnn", "vgg8"])
def test_a_family_says_the_least_image_that_its_poolings_leave_something_of(name: str) -> None:
    least = MODELS[name].least
    with torch.device("meta"):
        net = MODELS[name].make(10, 1, 0.25).eval()
    assert net(torch.zeros(2, 1, least, least, device="meta")).shape == (2, 10)
    with pytest.raises(RuntimeError, match="too small"):
        net(torch.zeros(2, 1, least - 1, least - 1, device="meta"))
    with pytest.raises(RecipeError, match=f"{name}: images must be at least {least}x{least}, got 1x1"):
        Model(name).check(10, (1, 1, 1))
