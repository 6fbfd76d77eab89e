"""Low rank at named ranks, and BN behind the pairs: SlimNets' table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.costs import predict
from compress.data.tasks import Task
from compress.encoding import encode
from compress.errors import RecipeError
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import OneShot
from compress.pruning.pruner import weight_count
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Factorize, Quantize, Recovery, Train
from compress.store.folder import Store
from compress.training.settings import Training

SLIMNETS = (5, 24, 48, 48, 64, 128, 128, 160, 192, 256, 320, 320, 320, 320, 320, 320)
ONCE = Training(epochs=1, batch_size=64, lr=0.01)


def plain() -> nn.Sequential:
    """Three convolutions, the second alone with a BN behind it."""
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, bias=False), nn.Conv2d(8, 16, 3, stride=2)]
    middle = [convolutions[1], nn.BatchNorm2d(8), nn.ReLU()]
    return nn.Sequential(convolutions[0], nn.ReLU(), *middle, convolutions[2], nn.Flatten(), nn.Linear(64, 3)).eval()


def shown() -> Tensor:
    return torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def recipe(method: SVD, *last: Quantize) -> Recipe:
    low_rank = Factorize(method, recovery=Recovery(ONCE))
    return Recipe("digits", Model("vgg8", 0.25), (Train(ONCE), low_rank, *last))


@pytest.mark.slow
def test_the_table_of_slimnets_is_what_vgg19_becomes() -> None:
    net = Model("vgg19").build(10, 3)
    before = sum(p.numel() for p in net.parameters())
    factorize(net, SVD(ranks=SLIMNETS, batch_norm=True), None)
    layers = {name: layer for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)}
    assert tuple(layer.out_channels for name, layer in list(layers.items())[::2]) == SLIMNETS
    assert len(layers) == 32
    assert 2.3 < before / sum(p.numel() for p in net.parameters()) < 2.6  # published: 2.43
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in net.modules()) == 16  # vgg19's own


def test_shares_and_whole_numbers_name_ranks_and_zero_leaves_a_layer_whole() -> None:
    net = plain()
    factorize(net, SVD(ranks=(0, 0.25, 3)), None, shown())
    assert isinstance(net[0], nn.Conv2d)
    assert [part[0].out_channels for part in (net[2], net[5])] == [6, 3]  # type: ignore[index]
    assert isinstance(net[7], nn.Linear)


def test_a_norm_follows_a_pair_that_has_none_and_changes_nothing_at_first() -> None:
    bare, normed = plain(), plain()
    factorize(bare, SVD(ranks=(0, 4, 3)), None, shown())
    factorize(normed, SVD(ranks=(0, 4, 3), batch_norm=True), None, shown())
    assert len(normed[2]) == 2  # type: ignore[arg-type]
    assert isinstance(normed[5][2], nn.BatchNorm2d)  # type: ignore[index]
    assert normed[5][1].bias is None  # type: ignore[index]
    torch.testing.assert_close(normed(shown()), bare(shown()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(normed[:6].train()(shown()), bare[:6](shown()), rtol=0.05, atol=0.1)


def test_without_images_a_norm_changes_nothing_either() -> None:
    bare, normed = plain(), plain()
    factorize(bare, SVD(ranks=(0, 4, 3)), None)
    factorize(normed, SVD(ranks=(0, 4, 3), batch_norm=True), None)
    torch.testing.assert_close(normed(shown()), bare(shown()), rtol=1e-4, atol=1e-5)


def test_norms_follow_ranks_found_by_sparsity_too() -> None:
    net = plain()
    factorize(net, SVD(batch_norm=True), 0.5, shown())
    assert isinstance(net[5][2], nn.BatchNorm2d)  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda: SVD(ranks=()), "svd: ranks must be whole numbers, 0 for a layer left whole, or shares in"),
        (lambda: SVD(ranks=(2.5,)), r"of the full rank, got \(2.5,\)"),
        (lambda: SVD(ranks=(0, 0)), r"got \(0, 0\)"),
        (lambda: SVD(ranks=(True,)), r"got \(True,\)"),
        (lambda: SVD(ranks=[4]), r"got \[4\]"),  # type: ignore[arg-type]
        (lambda: SVD("ratio", ranks=(4,)), "svd: ranks are named, so keep must be left out, got 'ratio'"),
        (lambda: SVD(batch_norm=1), "svd: batch_norm must be a bool, got 1"),  # type: ignore[arg-type]
        (lambda: factorize(plain(), SVD(ranks=(4,)), None), "ranks must name a rank for each of the 3 conv.* got 1"),
        (lambda: factorize(plain(), SVD(ranks=(4, 4, 4)), None), "the rank of 0 must be at most 3, got 4"),
        (lambda: factorize(plain(), SVD(ranks=(0, 24, 0)), None), "fewer than the 576 weights .* got 1152"),
        (lambda: Factorize(SVD()), "factorize: schedule must be a Schedule, got None"),
        (lambda: Factorize(SVD(), schedule=OneShot()), "factorize: sparsity must be in .* got None"),
        (lambda: Factorize(SVD(ranks=(4,)), 0.5, OneShot()), "svd names its ranks, so sparsity and schedule must be"),
    ],
)
def test_ranks_that_do_not_fit_are_a_sentence(change: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        change()


def test_a_network_that_cannot_be_followed_gets_no_norms() -> None:
    class Branching(nn.Sequential):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images if images.sum() > 0 else -images)  # type: ignore[no-any-return,no-untyped-call]

    net = Branching(*plain())
    with pytest.raises(RecipeError, match=r"svd: with batch_norm torch.fx must be able to follow .*; leave batch_norm"):
        factorize(net, SVD(ranks=(0, 4, 3), batch_norm=True), None)


def test_recipes_without_the_new_settings_keep_their_json() -> None:
    assert encode(SVD()) == {"type": "svd", "keep": "energy"}
    named = Recipe.from_json(recipe(SVD(ranks=(2, 0.5), batch_norm=True)).as_json())
    assert named.stages[1] == Factorize(SVD(ranks=(2, 0.5), batch_norm=True), recovery=Recovery(ONCE))


def test_a_recipe_with_ranks_is_predicted_made_and_its_sparsity_measured(tiny: Task, tmp_path: Path) -> None:
    wanted = recipe(SVD(ranks=(0, 0.3, 0.3, 0.3, 0.3)), Quantize(Int8()))
    made = list(Pipeline(tiny, Store(tmp_path)).run(wanted))
    predicted = predict(replace(wanted, task=tiny.name), tiny)
    assert [one.costs.params for one in predicted] == [one.measured.params for one in made]
    full, small = (weight_count(Store(tmp_path).get(one.key).files().module()) for one in made[::2])  # type: ignore[union-attr]
    assert [one.sparsity for one in made[2:]] == [round(1 - small / full, 6)] * 2
