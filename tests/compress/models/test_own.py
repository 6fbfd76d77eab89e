"""A user's own network: found, checked, and put through the same stages as the zoo's."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from compress.codec import decode
from compress.costs import check, check_networks, predict
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import DISTILLERS, KD
from compress.distill.teaching import Teaching
from compress.encoding import encode
from compress.errors import MissingModel, RecipeError
from compress.lowrank import SVD
from compress.models import Model
from compress.models.family import head_of, taps_of
from compress.models.own import name_taps
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import PRUNERS, L1Filter, OneShot
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Train
from compress.store.files import Files
from compress.store.folder import Store
from compress.training.settings import Training

Source = Callable[[str, str], None]
ONCE = Training(epochs=1, lr=0.02)
NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, channels, width=1.0):
        super().__init__()
        a, b = int(8 * width), int(16 * width)
        self.conv1, self.norm1 = nn.Conv2d(channels, a, 3, padding=1), nn.BatchNorm2d(a)
        self.pool, self.relu = nn.MaxPool2d(2), nn.ReLU()
        self.conv2, self.norm2 = nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b)
        self.mean, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(b, classes)

    def forward(self, images):
        maps = self.pool(self.relu(self.norm1(self.conv1(images))))
        maps = self.relu(self.norm2(self.conv2(maps)))
        return self.head(torch.flatten(self.mean(maps), 1))

def narrow(classes, channels):
    return Net(classes, channels, 0.5)

def seven(channels, classes): return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
def raises(classes, channels): raise KeyError("no such net\\nand more")
def nothing(classes, channels): return None
def linear(classes, channels): return nn.Sequential(nn.Conv2d(channels, 7, 8), nn.Flatten())
def three(classes, channels): return nn.Sequential(nn.Linear(8, classes))
def large(classes, channels):
    return nn.Sequential(nn.Conv2d(channels, 4, 9), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
def headed(classes, channels):
    made = linear(classes, channels)
    made.add_module("spare", nn.Linear(3, classes))
    made.head = "classifier"
    return made
def tapped(classes, channels):
    made = narrow(classes, channels)
    made.taps = {"one": "conv1", "two": "elsewhere"}
    return made
class Tuple(Net):
    def forward(self, images): return super().forward(images), None
class Idle(Net):
    def __init__(self, classes, channels):
        super().__init__(classes, channels)
        self.other = nn.Conv2d(channels, classes, 8)
    def forward(self, images): return self.other(images).flatten(1)
number = 5
"""


@pytest.fixture
def net(source: Source) -> str:
    """The folder has `mine/net.py`; the name of what it is tried by."""
    source("mine/net.py", NET)
    return "mine.net:Net"


def test_a_function_is_called_with_classes_channels_and_its_width(net: str) -> None:
    with torch.no_grad():
        made = [Model(net, width).build(10, 3) for width in (1.0, 0.5)]
        assert [m(torch.zeros(2, 3, 8, 8)).shape for m in made] == [(2, 10)] * 2
    assert [layer.out_channels for m in made for layer in m.modules() if isinstance(layer, nn.Conv2d)] == [8, 16, 4, 8]


def test_a_function_without_a_width_takes_none_but_1(net: str) -> None:
    assert (Model(net).scales, Model("mine.net:narrow").scales) == (True, False)
    with pytest.raises(RecipeError, match=r"mine.net:narrow: width must be 1, .* got 0.5"):
        Model("mine.net:narrow", 0.5).build(10, 1)


BAD = [
    ("nowhere.net:make", "nowhere.net must be importable, .* got ModuleNotFoundError: No module named 'nowhere'"),
    ("mine.net:none", r"mine.net must have a function none, \S*mine/net.py has none; if that is no file of yours"),
    ("search:make", r"search must have a function make, \S*search/__init__.py has none; .* search is taken: rename"),
    (
        "json:make",
        r"json must have a function make, \S*json/__init__.py has none; .* json is taken: rename your module",
    ),
    ("sys:make", "sys must have a function make, Python's own has none; .* sys is taken: rename your module"),
    ("mine.net:number", "must be a function of Python's, got int"),
    ("os:kill", "must be a function of Python's, got builtin_function_or_method"),
    ("mine.net:raises", r"must make a network when called with \(10, 1\), got KeyError: 'no such net"),
    ("mine.net:nothing", "must return an nn.Module, got a NoneType"),
    ("mine.net:linear", "must end in a classifier, an nn.Linear or nn.Conv2d of 10 outputs, got 0 of 7"),
    ("mine.net:seven", "must end in a classifier, an nn.Linear or nn.Conv2d of 10 outputs, got 1 of 7"),
    ("mine.net:three", "must give logits of shape|must take images of 1x8x8"),
    ("mine.net:large", "must take images of 1x8x8, got RuntimeError: .*Kernel size can't be greater"),
    ("mine.net:headed", "head must be the path of an nn.Linear or nn.Conv2d of 10 outputs, got 'classifier'"),
    ("mine.net:tapped", r"its tap 'two' must give maps \(B, C, H, W\), once, got 'elsewhere'"),
    ("mine.net:Tuple", r"must give logits of shape \(3, 10\), got a tuple"),
    ("mine.net:Idle", "its classifier head must be called in forward, it is not"),
]


@pytest.mark.parametrize(("name", "sentence"), BAD, ids=[name for name, _ in BAD])
def test_what_is_no_network_for_the_task_is_one_sentence(net: str, name: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as caught:
        Model(name).check(10, (1, 8, 8))
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_stops_on_import_is_one_sentence(source: Source) -> None:
    source("broken.py", "def make(:\n")
    with pytest.raises(
        RecipeError, match=r"broken:make: broken must be importable, .* got SyntaxError: invalid syntax"
    ):
        Model("broken:make").check(10, (1, 8, 8))


@pytest.mark.parametrize("name", ["mine.net:", ":make", "mine net:make", "a:b:c", "a/b:c"])
def test_a_name_that_is_no_path_of_a_function_is_refused_at_once(name: str) -> None:
    with pytest.raises(RecipeError, match=r"must be named as package.module:function"):
        Model(name)


def test_a_network_is_named_by_its_file_from_any_folder(source: Source, tmp_path: Path) -> None:
    source("some @ folder/my-net.py", NET)
    model = Model.parse("some @ folder/my-net.py:Net@w.pt")
    assert model == Model(f"{tmp_path}/some @ folder/my-net.py:Net", weights=f"{tmp_path}/w.pt")
    assert str(model) == "my-net.py:Net@w.pt"
    os.chdir(tmp_path / "some @ folder")  # the fixture goes back
    assert model.bare == Model("my-net.py:Net")
    assert Model("my-net.py:Net").build(10, 1)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(MissingModel, match=r"my-net.py must have a function None, it has none$"):
        Model("my-net.py:None").check(10, (1, 8, 8))


def test_the_name_of_a_network_is_not_imported_until_it_is_needed() -> None:
    assert decode(json.loads(json.dumps(encode(Model("nowhere:make"))))) == Model("nowhere:make")


def test_the_classifier_is_found_and_a_submodule_called_head_stays_one(net: str) -> None:
    made = Model(net).build(10, 1)
    assert (head_of(made), type(made.head)) == ("head", nn.Linear)


def test_the_classifier_is_the_last_linear_layer_of_that_many_outputs(source: Source) -> None:
    source("plain.py", "from torch import nn\ndef make(k, c): return nn.Sequential(nn.Linear(3, k), nn.Linear(k, k))\n")
    assert head_of(Model("plain:make").build(10, 1)) == "1"


def test_stages_are_the_last_maps_of_each_size(net: str) -> None:
    made = Model(net).build(10, 1)
    name_taps(made, torch.zeros(1, 1, 8, 8))
    assert list(taps_of(made)) == ["norm1", "norm2"]  # the ReLU runs twice, the pooling convolves nothing


def test_stages_are_looked_for_inside_a_single_child(source: Source) -> None:
    body = "nn.Conv2d(c, 4, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, 1, 1), nn.ReLU()"
    rest = "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, k)"
    source("deep.py", f"from torch import nn\nmake = lambda k, c: nn.Sequential(nn.Sequential({body}), {rest})\n")
    made = Model("deep:make").build(10, 1)
    name_taps(made, torch.zeros(1, 1, 8, 8))
    assert list(taps_of(made)) == ["0.1", "0.4"]


def test_taps_that_the_network_names_are_its_taps(source: Source) -> None:
    source("mine/net.py", NET + "\nNet.taps = {'first': 'conv1'}\n")
    made = Model("mine.net:Net").build(10, 1)
    name_taps(made, torch.zeros(1, 1, 8, 8))
    assert taps_of(made) == {"first": "conv1"}


FLAT = (
    "from torch import nn\ndef make(k, c): return nn.Sequential(nn.Flatten(), nn.Linear(c * 64, 9), nn.Linear(9, k))\n"
)


@pytest.mark.parametrize("method", DISTILLERS.values(), ids=list(DISTILLERS))
def test_a_method_that_reads_maps_refuses_a_network_without(
    source: Source, digits: Task, method: Callable[[], KD]
) -> None:
    source("flat.py", FLAT)
    kind, reads = method(), bool(method().reads(Model("cnn").build(10, 1)))
    recipe = Recipe("digits", Model("cnn", 0.25), (Distill(kind, ONCE),), Model("flat:make"), ONCE)
    if reads or kind.reads_last:
        with pytest.raises(RecipeError, match=rf"{kind.name}: reads .* and flat:make has no.*; name "):
            check_networks(recipe, digits)
    else:
        check_networks(recipe, digits)


@pytest.mark.parametrize("method", DISTILLERS.values(), ids=list(DISTILLERS))
def test_every_distillation_method_teaches_from_and_to_an_own_network(
    net: str, calibration: Batch, method: Callable[[], KD]
) -> None:
    shown = Batch(calibration.images[:8], calibration.targets[:8], torch.arange(8))
    labels = calibration.targets
    student, teacher = Model("mine.net:narrow").build(10, 1), Model(net).build(10, 1)
    Teaching(student, teacher, method(), shown, targets=labels)(shown).backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in student.parameters())


CUTS = [
    *(Prune(kind(), 0.5, OneShot(), Recovery(ONCE)) for kind in PRUNERS.values() if not kind.adaptive),
    Factorize(SVD(), 0.4, OneShot(), Recovery(ONCE, scope="classifier")),
]


@pytest.mark.parametrize("cut", CUTS, ids=lambda s: s.method.name)
def test_an_own_network_goes_through_every_stage_and_comes_back(
    net: str, pipeline: Pipeline, cut: Prune | Factorize
) -> None:
    recipe = Recipe("digits", Model(net), (Train(ONCE), cut, Quantize(Int8())))
    check(recipe, pipeline.task)
    made = list(pipeline.run(recipe))
    assert [point.variant for point in made] == ["float", "int8", "float", "int8"]
    assert made[2].measured.nonzero_params < 0.7 * made[0].measured.nonzero_params
    assert [pipeline.entry(step).files().origin() for step in plan(recipe, pipeline.task.fingerprint)] == [
        Model(net)
    ] * 4


def test_an_own_network_is_pruned_in_rounds(net: str, pipeline: Pipeline) -> None:
    kinds: list[Any] = [kind for kind in PRUNERS.values() if kind.adaptive]
    for kind in kinds:
        cut = Prune(kind(tolerance=0.99, rounds=2), recovery=Recovery(replace(ONCE, epochs=2)))
        recipe = Recipe("digits", Model(net), (Train(ONCE), cut))
        check(recipe, pipeline.task)
        assert next(pipeline.run(recipe)).sparsity == 0


@pytest.mark.parametrize("as_teacher", [False, True], ids=["student", "teacher"])
def test_an_own_network_that_comes_back_another_is_refused_before_it_trains(
    source: Source, digits: Task, as_teacher: bool
) -> None:
    source("mine/net.py", NET.replace("nn.ReLU()", "nn.LeakyReLU(float(torch.rand(())))"))
    own, zoo = Model("mine.net:Net"), Model("cnn", 0.25)
    student, teacher = (zoo, own) if as_teacher else (own, zoo)
    recipe = Recipe("digits", student, (Distill(KD(), ONCE),), teacher, ONCE)
    said = r"mine.net:Net after train: a network must compute the same once it is stored and loaded"
    with pytest.raises(RecipeError, match=said if as_teacher else said.replace("train", "distill by kd")):
        check(recipe, digits)


def test_linear_layers_with_batch_norm_are_cut_too(source: Source, digits: Task) -> None:
    layers = "nn.Conv2d(c, 8, 3), nn.Flatten(), nn.Linear(288, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, k)"
    source("wide.py", f"from torch import nn\ndef make(k, c): return nn.Sequential({layers})\n")
    cut = Prune(L1Filter(), 0.6, OneShot(), Recovery(ONCE))
    recipe = Recipe("digits", Model("wide:make"), (Train(ONCE), cut, Quantize(Int8())))
    check(recipe, digits)
    first, _, last, _ = predict(recipe, digits)
    assert last.costs.params < 0.42 * first.costs.params


def test_what_int8_cannot_do_is_found_before_anything_trains(source: Source, digits: Task) -> None:
    source("mine/net.py", NET)
    check(Recipe("digits", Model("mine.net:Net"), (Train(ONCE), Quantize(Int8()))), digits)
    source("mine/net.py", NET.replace("return self.head(", "return self.head.weight.std() * self.head("))
    with pytest.raises(RecipeError, match=r"int8: a layer must be read by its call alone, got"):
        check(Recipe("digits", Model("mine.net:Net"), (Train(ONCE), Quantize(Int8()))), digits)


@pytest.mark.parametrize(
    "text", ["import torchvision\ndef make(k, c): {}", "def make(k, c):\n import torchvision\n {}"]
)
def test_a_network_of_torchvisions_is_made_beside_any_torch(text: str, source: Source, tmp_path: Path) -> None:
    source("theirs.py", text.format("return torchvision.models.mnasnet0_5(num_classes=k)\n"))
    code = "from compress.models import Model; print(type(Model('theirs:make').build(10, 3)).__name__)"
    root = Path(__file__).parent.parent.parent.parent
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "MNASNet\n", done.stderr


def key(model: Model) -> str:
    return plan(Recipe("digits", model, (Train(ONCE),)), "data")[0].key


def test_a_step_is_named_by_the_source_and_by_that_of_its_neighbours(source: Source) -> None:
    files = {
        "mine/net.py": "from mine.blocks import Net as _Net\ndef make(k, c): return _Net(k, c)\n",
        "mine/blocks.py": NET,
        "mine/other.py": "x = 1\n",
    }
    keys = []
    for name in (None, "mine/net.py", "mine/blocks.py", "mine/other.py"):
        for path, text in files.items():
            source(path, text + "# changed\n" * (path == name))
        keys.append(key(Model("mine.net:make")))
    assert len({keys[0], keys[1], keys[2]}) == 3
    assert keys[3] == keys[0]


def test_the_same_source_elsewhere_gives_the_same_name(source: Source) -> None:
    source("mine/net.py", NET)
    before = key(Model("mine.net:Net"))
    source("mine/net.py", NET)
    assert key(Model("mine.net:Net")) == before


def test_a_model_of_the_zoo_is_named_as_ever() -> None:
    assert key(Model("cnn")) == "3c45e10c79c06bf27a39a6ce6fbb1963"


def test_a_stored_network_whose_function_is_gone_is_one_sentence(net: str, tmp_path: Path, source: Source) -> None:
    files = Files.of(Model(net).build(10, 1), Model(net), classes=10, channels=1)
    assert isinstance(files.module(), nn.Module)
    shutil.rmtree(tmp_path / "mine")
    source("other.py", "")
    with pytest.raises(MissingModel, match=r"mine.net:Net: mine.net must be importable, from the current folder or"):
        files.module()


def test_a_structure_cannot_call_a_function_with_anything_but_numbers(net: str) -> None:
    files = Files.of(Model(net).build(10, 1), Model(net), classes=10, channels=1)
    forged = {**json.loads(files.structure), "classes": "rm"}
    with pytest.raises(RuntimeError, match=r"mine.net:Net: classes must be a whole number of at least 1, got 'rm'"):
        Files(files.weights, json.dumps(forged).encode()).module()


def test_an_own_network_that_cannot_be_made_stops_before_the_teacher_trains(
    net: str, pipeline: Pipeline, store: Store
) -> None:
    recipe = Recipe("digits", Model("mine.net:large"), (Distill(KD(), ONCE),), Model("cnn"), ONCE)
    with pytest.raises(RecipeError, match="must take images of 1x8x8"):
        next(pipeline.run(recipe))
    assert pipeline.spent.get("train", 0.0) == 0.0


UNSTEADY = {
    "a large batch": (
        "return self.head(",
        "maps = maps if len(maps) < 40 else maps - 9 * maps.mean(0)\n        return self.head(",
        "must not depend on the rest of its batch, in a batch of",
    ),
    "the end of a batch": (
        "return self.head(",
        "maps = maps * (torch.arange(len(maps)) < 40).view(-1, 1, 1, 1)\n        return self.head(",
        "must not depend on its place in the batch, in a batch of",
    ),
    "later calls": (
        "return self.head(",
        "self.calls = getattr(self, 'calls', 0) + (not self.training)\n"
        "        return (-1) ** (self.calls // 10) * self.head(",
        "must give the same images the same logits each time, they changed while it was measured",
    ),
}


@pytest.mark.parametrize(("text", "other", "sentence"), UNSTEADY.values(), ids=list(UNSTEADY))
def test_a_network_that_is_another_when_it_is_measured_is_not_recorded(
    source: Source, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, text: str, other: str, sentence: str
) -> None:
    checks = importlib.import_module("compress.models.check_network")
    monkeypatch.setattr(checks, "CROWD", 30)  # else the check before the training refuses two of them
    source("mine/net.py", NET.replace(text, other))
    with pytest.raises(RecipeError, match=sentence):
        next(pipeline.run(Recipe("digits", Model("mine.net:Net"), (Train(ONCE),))))


def test_what_training_changes_and_nothing_stores_is_found_before_it_trains(source: Source, digits: Task) -> None:
    changed = "self.seen = getattr(self, 'seen', 1.0) + self.training\n        return self.seen * self.head("
    source("mine/net.py", NET.replace("return self.head(", changed))
    with pytest.raises(RecipeError, match="Net after train and some training: a network must compute the same once"):
        check(Recipe("digits", Model("mine.net:Net"), (Train(ONCE),)), digits)
