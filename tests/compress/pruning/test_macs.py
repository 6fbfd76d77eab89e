"""Pruning by FLOPs: MACs foreseen from the groups of channels, and levels that are shares of MACs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.costs import deepest, depth, predict
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.encoding import encode
from compress.errors import RecipeError
from compress.measure import count
from compress.models import Model
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import APoZRounds, Exponential, Gradual, L1Filter, L1Unstructured, OneShot, ResRep
from compress.pruning.channels import Channels, cut_channels
from compress.pruning.macs import count_macs
from compress.pruning.pruner import Pruner, weight_count
from compress.pruning.targets import Targets
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.folder import Store
from compress.training.settings import Training

SHAPE = (3, 16, 16)
SEEN = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))
BATCH = Batch(SEEN, torch.arange(4), torch.arange(4))
NETWORKS = [Model("resnet20", 0.5), Model("resnet56", 0.25), Model("vgg8", 0.125), Model("resnet164", 0.125)]
by_network = pytest.mark.parametrize("network", NETWORKS, ids=str)
ONCE = Training(epochs=1, batch_size=64, lr=0.01)
TINY = Model("resnet20", 0.25)


class Depthwise(nn.Module):
    """A convolution called twice, a depthwise and a grouped convolution, a flatten and two linear layers."""

    head = "last"

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again = nn.Conv2d(3, 12, 3, stride=2), nn.Conv2d(12, 12, 3, padding=1)
        self.depthwise, self.point = nn.Conv2d(12, 12, 3, groups=12), nn.Conv2d(12, 8, 1)
        self.grouped, self.hidden = nn.Conv2d(8, 8, 3, groups=2), nn.Linear(72, 20)
        self.last = nn.Linear(20, 4)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.again(self.again(self.first(images)).relu())
        maps = self.grouped(self.point(self.depthwise(maps)).relu())
        logits: Tensor = self.last(self.hidden(maps.flatten(1)).relu())
        return logits


def build(network: Model) -> nn.Module:
    torch.manual_seed(0)
    return network.build(10, 3).eval()


def by_flops(method: Pruner, share: float = 0.5, steps: int = 1) -> Prune:
    return Prune(method, share, OneShot(steps), Recovery(ONCE), measure="flops")


@by_network
@pytest.mark.parametrize("spare", [False, True], ids=["all", "inside"])
def test_macs_foreseen_are_the_macs_counted_after_the_cut(network: Model, spare: bool) -> None:
    net = build(network)
    full = count(net, SHAPE).macs
    channels = Channels(net, SEEN, spare_shortcuts=spare, measure="flops")
    assert channels.amount() == full
    kept = channels.keep(int(0.6 * full))
    predicted = channels.amount(kept)
    channels.cut(kept, L1Filter().scores(net, BATCH))
    assert count(net, SHAPE).macs == predicted <= 0.6 * full < 1.5 * predicted


@by_network
def test_macs_without_targets_are_counted_exactly(network: Model) -> None:
    net = build(network)
    targets = Targets(net, BATCH, measure="flops")
    generator = torch.Generator().manual_seed(1)
    gone = [torch.rand(target.group.channels, generator=generator) < 0.4 for target in targets.each]
    for mask in gone:
        mask[0] = False
    predicted = targets.amount(gone)
    targets.cut(gone)
    assert count(net, SHAPE).macs == predicted


def test_depthwise_grouped_and_repeated_layers_count_as_often_as_they_are_called() -> None:
    net = Depthwise().eval()
    channels = Channels(net, SEEN, measure="flops")
    assert channels.amount() == count(net, SHAPE).macs
    kept = {group.root: group.left(0.5) for group in channels.groups}
    predicted = channels.amount(kept)
    channels.cut(kept, L1Filter().scores(net, BATCH))
    assert count(net, SHAPE).macs == predicted


class Taken(nn.Module):
    """The first output of a network of several."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, sequence: Tensor) -> Tensor:
        first: Tensor = self.network(sequence)[0]
        return first


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (nn.LSTM(8, 16, 2, batch_first=True), 5 * (64 * 8 + 3 * 64 * 16)),
        (nn.LSTM(8, 16, bidirectional=True, batch_first=True), 5 * 2 * 64 * (8 + 16)),
        (nn.GRU(8, 16, batch_first=True), 5 * 48 * (8 + 16)),
        (nn.RNN(8, 16, batch_first=True), 5 * 16 * (8 + 16)),
        (nn.TransformerEncoderLayer(8, 2, 32, batch_first=True), 5 * (4 * 8 * 8 + 2 * 8 * 32) + 2 * 5 * 5 * 8),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_over_sequences_are_counted_and_none_takes_a_shortcut_without_a_count(
    layer: nn.Module, macs: int
) -> None:
    assert count_macs(Taken(layer), torch.zeros(1, 5, 8)) == macs


class Either(nn.Module):
    """One of two layers, by the images."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, images: Tensor) -> Tensor:
        chosen: Tensor = torch.cond(images.sum() > 0, self.one, self.other, (images,))
        return chosen


def test_a_network_that_chooses_between_layers_is_counted() -> None:
    assert count_macs(Either(), torch.ones(1, 4)) == 16


def test_counting_does_not_import_torchs_compiler() -> None:
    program = (
        "import sys, torch; from compress.pruning.macs import count_macs; "
        "print(count_macs(torch.nn.Conv2d(1, 2, 3), torch.zeros(1, 1, 5, 5)), 'torch._dynamo' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["162", "False"]


def test_too_few_macs_are_a_sentence() -> None:
    net = build(TINY)
    with pytest.raises(
        RecipeError, match=r"one channel everywhere still leaves \d+ of \d+ MACs, more than the 10 want"
    ):
        cut_channels(net, L1Filter(), 10, BATCH, "flops")


@pytest.mark.parametrize("method", [L1Filter(), ResRep(start=0, every=1)], ids=lambda method: method.name)
def test_a_stage_cuts_to_the_share_of_macs_and_tells_the_share_of_weights(
    method: Pruner, tiny: Task, tmp_path: Path
) -> None:
    wanted = Recipe(tiny.name, TINY, (Train(ONCE), by_flops(method, 0.5, steps=2)))
    store = Store(tmp_path)
    full, *made = Pipeline(tiny, store).run(wanted)
    macs = [point.measured.macs / full.measured.macs for point in made]
    assert 0.55 < macs[0] <= 0.75
    assert 0.3 < macs[1] <= 0.5
    nets = [store.get(point.key).files().module() for point in (full, *made)]  # type: ignore[union-attr]
    weights = [weight_count(net) for net in nets]
    assert [point.sparsity for point in made] == [round(1 - left / weights[0], 6) for left in weights[1:]]


def test_the_costs_of_a_cut_by_flops_are_predicted_exactly(tiny: Task, tmp_path: Path) -> None:
    stage = replace(by_flops(L1Filter(), 0.6), schedule=Exponential(3))
    wanted = Recipe(tiny.name, TINY, (Train(ONCE), stage))
    made, predicted = list(Pipeline(tiny, Store(tmp_path)).run(wanted)), predict(wanted, tiny)
    assert [one.costs.macs for one in predicted] == [one.measured.macs for one in made]
    assert [one.costs.params for one in predicted] == [one.measured.params for one in made]
    assert {one.sparsity for one in predicted[1:]} == {None}
    assert deepest(wanted, tiny)[1].costs.macs <= 0.4 * predicted[0].costs.macs
    assert depth(wanted)[1] == 0.6


def test_only_stages_by_flops_have_new_keys_and_json() -> None:
    weights = Prune(L1Filter(), 0.5, OneShot(), Recovery(ONCE))
    assert "measure" not in {**encode(weights), **weights.made_from()}  # type: ignore[dict-item]
    flops = replace(weights, measure="flops")
    recipes = [Recipe("digits", TINY, (Train(ONCE), stage)) for stage in (weights, flops)]
    assert Recipe.from_json(recipes[1].as_json()) == recipes[1]
    assert len({plan(recipe, "")[1].key for recipe in recipes}) == 2
    assert "until 50.0% of its FLOPs are gone" in flops.sentence(0.5, None)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda: Prune(L1Filter(), 0.5, OneShot(), measure="macs"),
            "measure: unknown 'macs', known are flops, weights",
        ),
        (lambda: by_flops(L1Unstructured()), "l1-unstructured leaves zeros, which save no FLOPs, so measure must be w"),
        (
            lambda: by_flops(Gradual()),
            "gradual leaves zeros, which save no FLOPs, so measure must be weights, got flops",
        ),
        (lambda: Prune(APoZRounds(), measure="flops"), "apoz-rounds finds its sparsity by itself, so measure must be"),
        (lambda: ResRep(reset=0), "resrep: reset must be a bool, got 0"),  # type: ignore[arg-type]
    ],
)
def test_a_measure_that_fits_no_method_is_a_sentence(change: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        change()
