"""Costs first: what a recipe's points will cost, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from compress.costs import check, deepest, depth, predict, skeleton
from compress.data.tasks import Task
from compress.distill import CRD, KD, SimKD
from compress.errors import RecipeError
from compress.lowrank import SVD
from compress.measure import count
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import (
    APoZ,
    APoZRounds,
    Exponential,
    L1Filter,
    L1Unstructured,
    OneShot,
    PlayAndPrune,
    Pruner,
    Schedule,
    Taylor,
)
from compress.pruning.channels import Channels
from compress.pruning.pruner import weighted_layers
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.training.settings import Training

Build = Callable[..., Recipe]
ONE = Training(epochs=1, lr=0.02, batch_size=64)
INT8 = Quantize(Int8())


def prune(method: Pruner, schedule: Schedule, sparsity: float = 0.6, **recovery: object) -> Prune:
    return Prune(method, sparsity, schedule, Recovery(ONE, **recovery))  # type: ignore[arg-type]


CUT, MASK = prune(L1Filter(), Exponential(3)), prune(L1Unstructured(), Exponential(3))
RANK = Factorize(SVD(), 0.4, OneShot(2), Recovery(ONE))


LOOKING = [prune(method, OneShot(1)) for method in (Taylor(), APoZ(spare_shortcuts=True))]
"""By methods that look at images and labels, of which there are none yet when costs are foreseen."""
STAGES = {"cut": CUT, "mask": MASK, "shots": prune(L1Filter(), OneShot(3)), **{s.method.name: s for s in LOOKING}}


@pytest.mark.parametrize("stages", [(stage,) for stage in STAGES.values()], ids=list(STAGES))
def test_costs_of_pruning_are_foreseen_exactly(
    stages: tuple[Stage, ...], pipeline: Pipeline, recipe: Build, tiny: Task
) -> None:
    predicted, made = predict(recipe(*stages), tiny), list(pipeline.run(recipe(*stages)))
    assert [(p.sparsity, p.variant) for p in predicted] == [(p.sparsity, p.variant) for p in made]
    for guess, point in zip(predicted, made, strict=True):
        assert vars(guess.costs) == {name: getattr(point.measured, name) for name in vars(guess.costs)}
        assert guess.size_bytes == point.measured.size_bytes


def test_costs_of_ratio_ranks_and_int8_are_foreseen_exactly(pipeline: Pipeline, recipe: Build, tiny: Task) -> None:
    stages = (replace(RANK, method=SVD("ratio")), INT8)
    predicted, made = predict(recipe(*stages), tiny), list(pipeline.run(recipe(*stages)))
    for guess, point in zip(predicted, made, strict=True):
        assert (guess.costs.params, guess.costs.macs) == (point.measured.params, point.measured.macs)
        assert guess.size_bytes == point.measured.size_bytes


def test_costs_of_energy_ranks_are_foreseen_closely(pipeline: Pipeline, recipe: Build, tiny: Task) -> None:
    predicted, made = predict(recipe(RANK), tiny), list(pipeline.run(recipe(RANK)))
    for guess, point in zip(predicted, made, strict=True):
        assert guess.costs.params == pytest.approx(point.measured.params, rel=0.1)


def test_costs_leave_the_global_generator_alone(recipe: Build, tiny: Task) -> None:
    state = torch.get_rng_state()
    predict(recipe(MASK, INT8), tiny)
    assert torch.equal(state, torch.get_rng_state())


def test_a_sparsity_out_of_reach_is_known_before_training(recipe: Build, tiny: Task) -> None:
    with pytest.raises(RecipeError, match="one channel everywhere still leaves"):
        predict(recipe(prune(L1Filter(), OneShot(1), 0.9999)), tiny)


@pytest.mark.parametrize("method", [APoZRounds(), APoZRounds(spare_shortcuts=False), PlayAndPrune()])
def test_a_method_that_finds_its_sparsity_leaves_a_channel_wherever_it_may_cut(
    method: Pruner, recipe: Build, tiny: Task
) -> None:
    network = Model("resnet20", 0.5)
    model = network.build(len(tiny.classes), tiny.channels)
    image = torch.zeros(1, *tiny.shape)
    channels = Channels(model, image, spare_shortcuts=method.spare_shortcuts)
    scores = {name: torch.arange(len(layer.weight)).float() for name, layer in weighted_layers(model).items()}
    channels.cut({group.root: 1 for group in channels.groups}, scores)
    whole, least = deepest(recipe(Prune(method, recovery=Recovery(ONE)), student=network), tiny)
    cut = count(model, tiny.shape)
    assert (least.costs.params, least.costs.macs) == (cut.params, cut.macs)
    assert whole.costs == predict(recipe(student=network), tiny)[0].costs


QUARTERS = """
from torch import nn


class Quarters(nn.Module):
    def forward(self, x):
        return x.unflatten(1, (4, -1)).flatten(1, 2)


def make(classes, channels):
    layers = nn.Sequential(nn.Conv2d(channels, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), Quarters())
    return nn.Sequential(layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
"""


def test_of_a_users_network_that_takes_no_single_channel_nothing_is_said(
    source: Callable[[str, str], None], recipe: Build, tiny: Task
) -> None:
    source("quarters.py", QUARTERS)
    rounds = recipe(Prune(PlayAndPrune(), recovery=Recovery(ONE)), student=Model("quarters:make"))
    check(rounds, tiny)
    assert deepest(rounds, tiny) == []


def test_of_what_cannot_be_carried_out_with_one_channel_nothing_is_said(recipe: Build, tiny: Task) -> None:
    rounds = Prune(APoZRounds(), recovery=Recovery(ONE))
    ranks = Factorize(SVD(), 0.6, OneShot(1), Recovery(ONE))
    check(recipe(rounds, ranks), tiny)
    assert deepest(recipe(rounds, ranks), tiny) == []


@pytest.mark.parametrize("same_class", [False, True])
def test_more_negatives_than_the_task_has_are_known_before_training(
    same_class: bool, recipe: Build, tiny: Task
) -> None:
    fewest = 127 if same_class else 128 - int(tiny.train.targets.bincount().max())
    taught = {"teacher": Model("cnn", 0.25), "schooling": ONE}
    for negatives in (fewest, fewest + 1):
        method = CRD(negatives=negatives, same_class=same_class)
        recovered = recipe(replace(CUT, recovery=Recovery(ONE, distiller=method)))
        for whole in (recovered, recipe(**taught, stages=(Distill(method, ONE),))):
            if negatives == fewest:
                check(whole, tiny)
                continue
            with pytest.raises(RecipeError, match=f"crd: negatives must be at most {fewest}, .* got {fewest + 1}"):
                check(whole, tiny)


def test_recipes_that_differ_in_training_alone_have_the_same_skeleton(recipe: Build) -> None:
    slow = replace(CUT, recovery=Recovery(replace(ONE, lr=0.5), scope="classifier"), schedule=OneShot(2))
    taught = recipe(teacher=Model("cnn"), schooling=ONE, stages=(Distill(KD(), ONE), CUT))
    untaught = recipe(stages=(Train(ONE), CUT))
    assert skeleton(recipe(CUT)) == skeleton(recipe(slow, INT8, seed=7))
    assert skeleton(taught) == skeleton(untaught)
    assert skeleton(recipe(prune(L1Filter(), OneShot(1), distiller=CRD()))) == skeleton(recipe(CUT))


@pytest.mark.parametrize(
    "other",
    [
        prune(L1Filter(), OneShot(1), 0.7),
        MASK,
        RANK,
        prune(L1Filter(), OneShot(1), distiller=SimKD()),
    ],
    ids=["deeper", "another method", "another kind", "layers that are kept"],
)
def test_recipes_that_may_fail_apart_have_skeletons_of_their_own(other: Stage, recipe: Build) -> None:
    assert skeleton(recipe(other)) != skeleton(recipe(CUT))


def test_recipes_that_differ_in_how_deep_they_cut_are_known_by_the_deepest(recipe: Build) -> None:
    deeper = prune(L1Filter(), OneShot(1), 0.7)
    assert depth(recipe(deeper)) == (depth(recipe(CUT))[0], 0.7)
    assert depth(recipe(MASK))[0] != depth(recipe(CUT))[0]


def test_of_a_users_own_network_every_depth_is_looked_at(source: Callable[[str, str], None], recipe: Build) -> None:
    source(
        "mine.py", "from torch import nn\n\n\ndef make(classes, channels):\n    return nn.Linear(channels, classes)\n"
    )
    deeper = prune(L1Filter(), OneShot(1), 0.7)
    names = {depth(recipe(cut, student=Model("mine:make"))) for cut in (deeper, CUT)}
    assert len({name for name, _ in names}) == 2
    assert {deep for _, deep in names} == {None}
