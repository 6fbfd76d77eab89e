"""Networks of libraries: torchvision's always, timm's where timm is installed."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from compress.costs import predict
from compress.data.tasks import Task
from compress.distill import DISTILLERS
from compress.errors import MissingModel, RecipeError
from compress.export.lineage import sentences, sources
from compress.models import Model
from compress.models.family import head_of
from compress.models.library import LIBRARIES
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Train
from compress.store.files import Files
from compress.training.settings import Training

TIMM = pytest.param("timm:test_resnet", marks=pytest.mark.skipif(find_spec("timm") is None, reason="needs timm"))
SMALL = ["torchvision:shufflenet_v2_x0_5", TIMM]
ONCE = Training(epochs=1, lr=0.02)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package is installed, as far as anybody is told."""

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_network_takes_any_classes_and_channels(name: str, channels: int) -> None:
    made = Model(name).build(7, channels).eval()
    assert made(torch.zeros(2, channels, 32, 32)).shape == (2, 7)
    head = made.get_submodule(head_of(made))
    assert isinstance(head, nn.Linear)
    assert head.out_features == 7


def test_for_three_channels_torchvisions_network_is_torchvisions() -> None:
    from torchvision.models import resnet18

    torch.manual_seed(0)
    theirs = resnet18(num_classes=10).state_dict()
    torch.manual_seed(0)
    ours = Model("torchvision:resnet18").build(10, 3).state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


def test_a_first_convolution_made_anew_keeps_settings_and_deviation() -> None:
    three, one = (Model("torchvision:resnet18").build(10, channels).get_submodule("conv1") for channels in (3, 1))
    assert isinstance(three, nn.Conv2d)
    assert isinstance(one, nn.Conv2d)
    assert (one.in_channels, one.stride, one.padding, one.bias) == (1, three.stride, three.padding, None)
    assert float(one.weight.detach().std()) == pytest.approx(float(three.weight.detach().std()), rel=0.1)


@pytest.mark.parametrize("name", SMALL)
def test_a_cut_network_is_stored_and_loaded_again(name: str, tiny: Task, pipeline: Pipeline) -> None:
    student = Model(name)
    assert student.check(len(tiny.classes), (tiny.channels, 16, 16)) == ()
    recipe = Recipe("digits", student, (Train(ONCE), Prune(L1Filter(), 0.5, OneShot(1), Recovery(ONCE))))
    if name.startswith("torchvision"):  # channels that are shuffled cannot be followed
        recipe = Recipe("digits", student, (Train(ONCE),))
    for point, predicted in zip(list(pipeline.run(recipe)), predict(recipe, tiny), strict=True):
        entry = pipeline.store.get(point.key, (student,))
        assert entry is not None
        module = entry.files().module()
        assert module(tiny.test.first(3).images).shape == (3, 10)
        assert point.measured.params == predicted.figures["params"] == sum(p.numel() for p in module.parameters())


def test_it_teaches_and_is_taught(tiny: Task, pipeline: Pipeline) -> None:
    teacher = Model("torchvision:shufflenet_v2_x0_5")
    stages = (Distill(DISTILLERS["at"](), ONCE),)
    (made,) = pipeline.run(Recipe("digits", Model("cnn", 0.25), stages, teacher, ONCE))
    assert 0 <= made.measured.score_validation <= 1


def test_the_library_and_its_version_are_part_of_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("digits", Model("torchvision:resnet18"), (Train(ONCE),))
    (now,) = plan(recipe, "x")
    assert now.made_from["version"] == f"torchvision {metadata.version('torchvision').partition('+')[0]}"
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "99.0+cpu" if name == "torchvision" else real(name))
    (later,) = plan(recipe, "x")
    assert later.made_from["version"] == "torchvision 99.0"
    assert later.key != now.key


def test_a_network_is_named_without_its_package(absent: None) -> None:
    model = Model.parse("timm:resnet18@timm:a1_in1k")
    assert (model.own, model.of_library, model.scales, model.trained) == (True, True, False, False)
    assert (model.title, str(model)) == ("timm's resnet18", "timm:resnet18@timm:a1_in1k")
    recipe = Recipe("digits", replace(model, weights=None), (Train(ONCE),))
    assert sentences(recipe, [])[0] == "timm:resnet18: timm's resnet18"
    assert sources(recipe, []) == {"timm:resnet18": LIBRARIES["timm"].source}


def test_a_missing_package_is_named_and_is_no_damage_of_the_store(absent: None) -> None:
    model = Model("torchvision:resnet18")
    sentence = (
        "torchvision:resnet18: torchvision must be installed where its networks are built, got no such package; pip"
    )
    for ask in (lambda: model.build(10, 1), lambda: model.fingerprints, lambda: Model.parse(f"{model}@pretrained")):
        with pytest.raises(MissingModel, match=sentence):
            ask()
    files = Files.of(Model("cnn").build(10, 1), model, classes=10, channels=1)
    with pytest.raises(MissingModel, match=sentence):
        files.module()


def test_a_package_that_cannot_be_imported_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ImportError("libcudart.so: no such file")

    monkeypatch.setattr("compress.models.library.import_torchvision", broken)
    with pytest.raises(
        MissingModel, match=r"torchvision must be importable, got ImportError: libcudart.so: no such file"
    ):
        Model("torchvision:resnet18").build(10, 1)


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        (
            "torchvision:alexnet",
            8,
            "torchvision:alexnet: must take images of 3x8x8, got RuntimeError: Given input size",
        ),
        (
            "torchvision:vit_b_16",
            32,
            "torchvision:vit_b_16: must take images of 3x32x32, got AssertionError: Wrong image",
        ),
        ("torchvision:fcn_resnet50", 32, "has no network 'fcn_resnet50' for classification, near are resnet50"),
        ("torchvision:nothing_like", 32, "has no network 'nothing_like' for classification, near are "),
    ],
)
def test_a_network_that_does_not_suit_is_refused(name: str, size: int, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Model(name).check(10, (3, size, size))


@pytest.mark.parametrize("name", ["timm:", "torchvision:a b", "timm:hf-hub:x/y", "torchvision:resnet18.v1", "timm:.x"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=r"must be named as (timm|torchvision):NAME, got"):
        Model(name)


def test_a_network_of_fixed_width_takes_no_other(absent: None) -> None:
    with pytest.raises(
        RecipeError, match=r"torchvision:resnet18: width must be 1, its constructor takes no other, got 0.5"
    ):
        Model("torchvision:resnet18", 0.5).build(10, 1)
