"""What the methods benchmark says of its runs, and what it compares at equal cost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.methods.channels import cut_at_once
from benchmarks.methods.compare import asked_for, few
from benchmarks.methods.comparison import Entry, Place, Run, Section, carry_out, entry, fewer, table
from benchmarks.methods.equal import at_macs, narrower
from benchmarks.methods.parts import PARTS
from benchmarks.methods.settings import DIGITS
from compress.costs import predict
from compress.data.splits import TensorSplit
from compress.data.tasks import Task, load_task
from compress.errors import RecipeError
from compress.measurement import Measurement
from compress.models import Model
from compress.pruning import PRUNERS, Adaptive, L1Filter, Random
from compress.recipe import Recipe
from compress.stages import Prune, Train
from compress.training.settings import Training

RECIPE = Recipe("digits", Model("cnn", 0.25), (Train(Training(epochs=1)),))


@pytest.fixture
def task() -> Task:
    return load_task("digits")


def measurement(accuracy: float) -> Measurement:
    return Measurement(accuracy, accuracy, 10, 10, 10, 10, 10, 1.0, 1.0, "cpu", 1, 1.0)


def runs(*accuracies: float) -> list[Run]:
    return [Run(measurement(accuracy), 1.0) for accuracy in accuracies]


def rows(**found: list[Run]) -> dict[str, str]:
    section = Section("", ("base",), tuple(Entry(label, RECIPE) for label in found))
    return {line.split(" ")[1]: line for line in list(table(section, found))[2:]}


def test_a_method_that_loses_to_its_baseline_at_every_seed_is_marked() -> None:
    told = rows(base=runs(0.9, 0.8, 0.7), worse=runs(0.8, 0.69, 0.61), unclear=runs(0.95, 0.5, 0.65))
    assert "**-0.1000 ± 0.0100, loses**" in told["worse"]
    assert "loses" not in told["unclear"]
    assert "loses" not in told["base"]


def test_seeds_that_broke_down_are_counted_and_the_others_paired() -> None:
    told = rows(base=runs(0.9, 0.5, 0.7), some=[*runs(0.8), Run(None, broken="diverged"), *runs(0.6)])
    assert "1 of 3: diverged" in told["some"]
    assert "-0.1000 ± 0.0000" in told["some"]


def test_a_recipe_that_is_refused_is_a_row_that_says_why() -> None:
    def refuse() -> Recipe:
        raise RecipeError("it: must not be")

    section = Section("", ("base",), (Entry("base", RECIPE), entry("refused", "7", refuse)))
    assert "it: must not be" in list(table(section, {"base": runs(0.5)}))[-1]


def test_a_training_that_diverges_is_a_run_that_says_so(tmp_path: Path) -> None:
    wild = Recipe("digits", RECIPE.student, (Train(Training(epochs=2, lr=1e30)),))
    assert carry_out(Place("digits", None, tmp_path), wild).broken == "diverged"


def test_fewer_images_are_the_same_ones_the_same_share_of_every_class(task: Task) -> None:
    one, other = fewer(task, 300), fewer(task, 300)
    assert isinstance(one.train, TensorSplit)
    assert isinstance(other.train, TensorSplit)
    assert torch.equal(one.train.images, other.train.images)
    shares = one.train.targets.bincount() / task.train.targets.bincount()
    assert shares.sub(300 / len(task.train)).abs().max() < 0.01
    assert len(one.test) == len(task.test)
    assert len({one.fingerprint, fewer(task, 200).fingerprint, task.fingerprint}) == 3
    assert fewer(task, 10**6) is task


def test_a_pruner_that_spares_shortcuts_is_cut_to_the_macs_of_random(task: Task) -> None:
    macs = predict(cut_at_once(task, DIGITS, Random(), 0.5), task)[-1].costs.macs
    sparing = L1Filter(spare_shortcuts=True)
    found = predict(at_macs(partial(cut_at_once, task, DIGITS, sparing), task, 0.5, macs), task)[-1].costs.macs
    assert 0.9 * macs < found <= macs


def test_the_narrower_network_has_the_parameters_asked_for(task: Task) -> None:
    module = narrower(task, DIGITS.factorized, 30_000).build(10, 1)
    assert sum(p.numel() for p in module.parameters()) == pytest.approx(30_000, rel=0.03)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_recipes_for_its_baselines(part: str, task: Task) -> None:
    for section in PARTS[part](task, DIGITS):
        labels = [row.label for row in section.entries]
        assert len(set(labels)) == len(labels)
        assert set(section.baselines) < set(labels)
        assert all(row.recipe or row.fit for row in section.entries if row.label in section.baselines)


def test_a_part_can_be_asked_for_a_few_methods_alone(task: Task) -> None:
    (section,) = PARTS["betas"](task, DIGITS)
    assert [row.label for row in few(section, ["at"]).entries] == [
        "plain",
        "at, beta 1000",
        "at, beta 100",
        "at, beta 10",
    ]
    assert few(section, None) == section


@pytest.mark.slow
def test_baselines_of_a_method_whose_costs_are_known_afterwards_come_to_its_macs(task: Task) -> None:
    cut = predict(cut_at_once(task, DIGITS, Random(), 0.4), task)[-1].costs.macs
    measured, methods = replace(measurement(0.5), macs=cut), set()
    for section in PARTS["adaptive"](task, DIGITS):
        first, *others = section.entries
        methods.add(first.label)
        if first.recipe is None:
            assert "one channel everywhere" in first.refused
            continue
        stage = first.recipe.stages[-1]
        assert isinstance(stage, Prune)
        rounds = stage.method.rounds if isinstance(stage.method, Adaptive) else 1
        for levels, trained in ((1, min(2, rounds)), (rounds, rounds)):
            for row in others:
                assert row.fit
                recipe = row.fit(Run(measured, levels=levels))
                stage = recipe.stages[-1]
                assert isinstance(stage, Prune)
                assert stage.recovery.training.epochs == trained * DIGITS.epochs.recovery
                assert 0.9 * cut < predict(recipe, task)[-1].costs.macs <= 1.01 * cut
    assert methods == {name for name, kind in PRUNERS.items() if not kind.predictable}


def test_rows_asked_for_bring_their_section_with_them(task: Task) -> None:
    sections = PARTS["adaptive"](task, DIGITS)
    assert {s.entries[0].label for s in sections if asked_for(s, ["resrep", "random"])} == {"resrep"}
    assert all(asked_for(section, ["at"]) for section in PARTS["recovery"](task, DIGITS))
