"""Channel pruning: what hangs together, the arithmetic before the cut, and the cut itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from benchmarks.blocks import BLOCKS
from compress.data.splits import Batch
from compress.errors import RecipeError
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.pruning import L1Filter, Pruner, Random, cutting
from compress.pruning.channels import Channels, cut_channels
from compress.pruning.pruner import weight_count, weighted_layers
from compress.pruning.targets import Targets

IMAGE = torch.zeros(1, 1, 8, 8)
BATCH = Batch(IMAGE, torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
SMALL = [Model("cnn", 0.5), Model("resnet20", 0.5)]
by_model = pytest.mark.parametrize("model", SMALL, ids=str)


class Flat(nn.Module):
    """Two convolutions and a linear layer behind a flatten, each channel taking four of its inputs."""

    head = "last"

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 3, 1)
        self.last = nn.Linear(12, 2)
        with torch.no_grad():
            self.one.weight.copy_(torch.tensor([3.0, -0.1, 2.0, -0.2]).reshape(4, 1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.two(self.one(images).relu()).flatten(1))
        return logits


def build(model: Model) -> nn.Module:
    torch.manual_seed(0)
    return model.build(10, 1)


@by_model
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_weights_foreseen_are_the_weights_left(model: Model, share: float) -> None:
    net = build(model)
    channels = Channels(net, IMAGE)
    kept = channels.keep(int((1 - share) * weight_count(net)))
    predicted = channels.amount(kept)
    assert weight_count(channels.cut(kept, L1Filter().scores(net, BATCH))) == predicted


@by_model
def test_without_a_cut_the_arithmetic_counts_all_weights(model: Model) -> None:
    assert Channels(build(model), IMAGE).amount() == weight_count(build(model))


@by_model
@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9])
def test_the_sparsity_is_reached_and_not_far_passed(model: Model, sparsity: float) -> None:
    net = build(model)
    full = weight_count(net)
    cut_channels(net, L1Filter(), int((1 - sparsity) * full), BATCH)
    assert sparsity <= 1 - weight_count(net) / full <= sparsity + 0.15


@by_model
def test_the_classes_are_never_cut(model: Model) -> None:
    net = cut_channels(build(model), L1Filter(), weight_count(build(model)) // 10, BATCH)
    assert net(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


@by_model
def test_the_classes_are_never_cut_from_a_factorized_head(model: Model) -> None:
    net = factorize(build(model), SVD(), 0.3)
    cut_channels(net, L1Filter(), weight_count(net) // 3, BATCH)
    assert isinstance(net.get_submodule("classifier"), nn.Sequential)
    assert net(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_the_channels_of_lowest_l1_went() -> None:
    net = Flat()
    kept = net.two.weight.detach()[:, [0, 2]]
    channels = Channels(net, torch.zeros(1, 1, 2, 2))
    channels.cut({"one": 2, "two": 3}, L1Filter().scores(net, BATCH))
    assert net.one.weight.flatten().tolist() == [3.0, 2.0]
    assert torch.equal(net.two.weight, kept)


def test_a_channel_behind_a_flatten_takes_all_its_inputs_along() -> None:
    net = Flat()
    channels = Channels(net, torch.zeros(1, 1, 2, 2))
    assert {group.root: dict(group.ins) for group in channels.groups} == {"one": {"two": 1}, "two": {"last": 4}}
    assert channels.amount({"one": 4, "two": 1}) == 4 + 4 + 8
    channels.cut({"one": 4, "two": 1}, L1Filter().scores(net, BATCH))
    assert net.last.in_features == 4


def test_the_ends_of_a_shortcut_are_one_group() -> None:
    makers = [{name for name, _ in group.outs} for group in Channels(build(SMALL[1]), IMAGE).groups]
    first = next(names for names in makers if "stem.0" in names)
    assert first == {"stem.0", "stage1.0.conv2", "stage1.1.conv2", "stage1.2.conv2"}


def test_at_least_one_channel_of_every_group_stays() -> None:
    channels = Channels(build(SMALL[0]), IMAGE)
    assert set(channels.keep(channels.amount(dict.fromkeys((g.root for g in channels.groups), 1))).values()) == {1}


def test_a_sparsity_out_of_reach_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match="one channel everywhere still leaves 37 of 6152 weights, more than the 20"):
        Channels(build(SMALL[0]), IMAGE).keep(20)


def test_requires_grad_is_as_it_was() -> None:
    net = build(SMALL[0])
    net.get_parameter("stage1.0.weight").requires_grad_(False)
    before = {name: parameter.requires_grad for name, parameter in net.named_parameters()}
    Channels(net, IMAGE)
    assert {name: parameter.requires_grad for name, parameter in net.named_parameters()} == before
    assert not all(before.values())


def test_spared_shortcuts_keep_their_width() -> None:
    net, full = build(SMALL[1]), weighted_layers(build(SMALL[1]))
    cut_channels(net, Random(spare_shortcuts=True), weight_count(net) // 2, BATCH)
    for name, layer in weighted_layers(net).items():
        inside = name.endswith("conv1")
        assert (layer.weight.shape[0] < full[name].weight.shape[0]) == inside
    assert weight_count(net) <= sum(layer.weight.numel() for layer in full.values()) // 2


def test_without_shortcuts_there_is_nothing_to_spare() -> None:
    one, other = (cut_channels(build(SMALL[0]), Random(spare_shortcuts=s), 3000, BATCH) for s in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


class Around(nn.Module):
    """A sum of channels and what one more convolution makes of them."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.first, self.inner = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=groups)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images)
        logits: Tensor = self.last(maps + self.inner(maps)).flatten(1)
        return logits


@pytest.mark.parametrize(("groups", "free"), [(1, False), (2, False), (4, True)], ids=["full", "grouped", "depthwise"])
def test_only_a_depthwise_convolution_leaves_the_width_free(groups: int, free: bool) -> None:
    channels = Channels(Around(groups), IMAGE, spare_shortcuts=True)
    assert any(name == "inner" for group in channels.groups for name, _ in group.outs) == free


class Gated(nn.Module):
    """A convolution whose channels another one scales."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.gate, self.last = nn.Conv2d(1, 4, 1), nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.body(images) * self.gate(images).sigmoid()).flatten(1)
        return logits


def test_a_gate_is_no_shortcut() -> None:
    groups = Channels(Gated(), IMAGE, spare_shortcuts=True).groups
    assert {name for name, _ in next(g for g in groups if g.channels == 4).outs} == {"body", "gate"}


def test_spared_shortcuts_that_leave_too_much_are_a_sentence() -> None:
    with pytest.raises(RecipeError, match="one channel everywhere but on shortcuts still leaves"):
        cut_channels(build(SMALL[1]), Random(spare_shortcuts=True), 100, BATCH)


@dataclass(frozen=True)
class Silent(Pruner):
    """Scores nothing."""

    name: ClassVar[str] = "silent"
    source: ClassVar[str] = "https://example.org"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        return {}


def test_a_group_that_no_score_speaks_of_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match=r"the method scores none of the layers coupled to stage\d\.0"):
        cut_channels(build(SMALL[0]), Silent(), 3000, BATCH)


def test_a_cut_network_can_be_cut_again() -> None:
    net = build(SMALL[1])
    full = weight_count(net)
    for share in (0.3, 0.6, 0.8):
        cut_channels(net, L1Filter(), int((1 - share) * full), BATCH)
        assert weight_count(net) <= (1 - share) * full
    assert set(weighted_layers(net)) == set(weighted_layers(build(SMALL[1])))


def test_a_norm_of_an_own_class_is_passed_by_a_cut_and_read_by_no_method(calibration: Batch) -> None:
    net = BLOCKS["norm_active"](10, 1)
    targets = Targets(net, calibration)
    assert {target.name: target.norm for target in targets.each}["block.0"] is None
    assert sorted(group.channels for group in targets.channels.groups) == [8, 12, 12]


def test_a_folder_named_timm_in_the_way_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ModuleType("timm")
    monkeypatch.setitem(sys.modules, "timm", folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch_pruning"]:
        monkeypatch.delitem(sys.modules, name)
    spec = spec_from_file_location("cutting_once_more", str(cutting.__file__))
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module_from_spec(spec))
    assert sys.modules["timm"] is folder
    assert "torch_pruning" in sys.modules
