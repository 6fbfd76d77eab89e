"""Steps and their keys: what two recipes share, and what sets them apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compress.distill import KD
from compress.encoding import digest
from compress.lowrank import SVD
from compress.models import Model
from compress.plan import plan
from compress.pruning import Exponential, L1Filter, L1Unstructured, OneShot, Pruner, Schedule
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Recovery, Stage
from compress.training.settings import Training

Build = Callable[..., Recipe]
ONE = Training(epochs=1, lr=0.02, batch_size=64)


def prune(method: Pruner, schedule: Schedule, sparsity: float = 0.6, **recovery: object) -> Prune:
    return Prune(method, sparsity, schedule, Recovery(ONE, **recovery))  # type: ignore[arg-type]


CUT, MASK = prune(L1Filter(), Exponential(3)), prune(L1Unstructured(), Exponential(3))
RANK = Factorize(SVD(), 0.4, OneShot(2), Recovery(ONE))


def test_a_distilled_student_depends_on_its_teacher(recipe: Build) -> None:
    taught = {"teacher": Model("cnn"), "schooling": ONE, "stages": (Distill(KD(), ONE),)}
    keys = {plan(recipe(**{**taught, **other}), "data")[0].key for other in ({}, {"schooling": Training(epochs=2)})}
    assert len(keys) == 2


def test_a_student_trained_on_labels_does_not_depend_on_the_teacher(recipe: Build) -> None:
    alone, beside = recipe(), recipe(teacher=Model("cnn"), schooling=ONE)
    assert plan(alone, "data")[0].key == plan(beside, "data")[0].key


def test_keys_change_with_the_data_and_are_hashes_of_what_led_there(recipe: Build) -> None:
    (one,), (other,) = plan(recipe(), "data"), plan(recipe(), "other data")
    assert one.key != other.key
    assert one.key == digest(one.made_from)


@pytest.mark.parametrize("stage", [CUT, MASK], ids=["cut", "mask"])
def test_a_rising_schedule_starts_each_level_from_the_one_before(stage: Stage, recipe: Build) -> None:
    steps = plan(recipe(stage), "data")
    assert [step.parent for step in steps] == [None, *steps[:-1]]
    assert [step.original for step in steps[1:]] == [steps[0]] * 3


@pytest.mark.parametrize("stage", [prune(L1Filter(), OneShot(3)), RANK], ids=["one-shot", "rank"])
def test_shots_and_ranks_start_each_level_from_the_original(stage: Stage, recipe: Build) -> None:
    first, *levels = plan(recipe(stage), "data")
    assert [step.parent for step in levels] == [first] * len(levels)


def test_a_level_reached_another_way_is_another_model(recipe: Build) -> None:
    ends = [plan(recipe(prune(L1Filter(), Exponential(steps))), "data")[-1] for steps in (1, 2, 3)]
    assert len({step.level for step in ends}) == 1
    assert len({step.key for step in ends}) == 3


def test_a_cut_of_an_own_network_has_a_version_that_the_zoo_has_not(recipe: Build) -> None:
    steps = [plan(recipe(CUT, student=Model(name)), "data")[1] for name in ("cnn", "benchmarks.blocks:plain")]
    assert [step.made_from.get("own") for step in steps] == [None, 1]
