"""Guessed costs beside the exact ones; what is missing of a recipe; the work of a training."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from compress.costs import predict
from compress.data.tasks import Task
from compress.distill import KD
from compress.estimate import UPDATE, Estimator
from compress.figures import LATENCY
from compress.latency.latency_model import LatencyModel
from compress.latency.target import Target
from compress.models import Model
from compress.plan import plan
from compress.pruning import APoZRounds, L1Filter, L1Unstructured, OneShot
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Quantize, Recovery, Train
from compress.training.settings import Training
from search.sampling.candidates import Draw
from spaces import SPACES

THREE = Training(epochs=3)
CUT = Prune(L1Filter(), 0.6, OneShot(2), Recovery(Training(epochs=2)))
DISTILLED = Recipe("digits", Model("cnn", 0.5), (Distill(KD(), THREE), CUT), Model("cnn"), THREE)


@pytest.fixture(scope="module")
def estimator(digits: Task) -> Estimator:
    return Estimator(digits)


def test_guesses_are_near_the_exact_costs_and_in_their_order(estimator: Estimator, digits: Task) -> None:
    chance, off = np.random.default_rng(3), []
    for _ in range(12):
        recipe = SPACES["joint"].build(Draw(chance), "digits", 0)
        assert isinstance(recipe, Recipe)
        if recipe.student.family != "cnn":
            recipe = replace(recipe, student=Model("cnn"))
        guesses = [estimator.guess(step) for step in estimator.steps(recipe)]
        exact = predict(recipe, digits)
        assert [(g.sparsity, g.variant) for g in guesses if g.sparsity == 0] == [
            (p.sparsity, p.variant) for p in exact if p.sparsity == 0
        ]
        assert len(guesses) == len(exact)
        for guess, point in zip(guesses, exact, strict=True):
            if point.sparsity is not None:
                assert (guess.sparsity, guess.variant) == (point.sparsity, point.variant)
                off.append(math.log(guess.costs["macs"] / point.costs.macs))
                assert guess.costs["params"] == pytest.approx(point.costs.params, rel=0.35)
    assert len(off) > 50
    assert abs(float(np.median(off))) < 0.3


def test_unpruned_networks_are_counted_exactly(estimator: Estimator, digits: Task) -> None:
    step, exact = estimator.steps(DISTILLED)[0], predict(DISTILLED, digits)[0]
    guess = estimator.guess(step)
    assert (guess.costs["params"], guess.costs["macs"]) == (exact.costs.params, exact.costs.macs)


def test_masks_leave_the_work_and_bits_the_parameters(estimator: Estimator) -> None:
    masked = Prune(L1Unstructured(), 0.75, OneShot(1), Recovery(THREE))
    recipe = Recipe("digits", Model("cnn"), (Train(THREE), masked, Quantize(Int8())))
    whole, whole8, cut, cut8 = [estimator.guess(step) for step in estimator.steps(recipe)]
    assert cut.costs["macs"] == whole.costs["macs"] == cut8.costs["macs"]
    assert cut.costs["nonzero_params"] == pytest.approx(whole.costs["nonzero_params"] / 4)
    assert whole8.costs["size_bytes"] == pytest.approx(whole.costs["size_bytes"] / 4)


def test_what_a_method_finds_itself_is_guessed_round_by_round_and_then_known(estimator: Estimator) -> None:
    recipe = Recipe("digits", Model("cnn"), (Train(THREE), Prune(APoZRounds(rounds=3), recovery=Recovery(THREE))))
    steps = estimator.steps(recipe)
    sparsities = [estimator.guess(step).sparsity for step in steps]
    assert sparsities == sorted(set(sparsities))
    assert estimator.guess(steps[-1], 0.42).sparsity == 0.42


def test_what_is_missing_is_what_is_not_there_and_what_it_needs(estimator: Estimator, digits: Task) -> None:
    steps = plan(DISTILLED, digits.fingerprint)
    teacher = steps[0].teacher
    assert teacher is not None
    every = {*(step.key for step in steps), teacher.key}
    assert {step.key for step in estimator.missing(DISTILLED, ())} == every
    assert {step.key for step in estimator.missing(DISTILLED, {steps[0].key})} == {step.key for step in steps[1:]}
    assert not estimator.missing(DISTILLED, every)


def test_a_training_costs_its_epochs_updates_and_what_the_teacher_looks_at(estimator: Estimator, digits: Task) -> None:
    first = estimator.steps(DISTILLED)[0]
    teacher = first.teacher
    assert teacher is not None
    of = {step.key: estimator.guess(step).costs["macs"] for step in (first, teacher)}
    seen = 3 * len(digits.train)
    assert estimator.training(teacher) == pytest.approx(seen * UPDATE * of[teacher.key])
    assert estimator.training(first) == pytest.approx(seen * (UPDATE * of[first.key] + of[teacher.key]))


def test_a_latency_falls_with_the_weights_but_for_what_every_kernel_costs(digits: Task) -> None:
    rates = {"net one": 0.5, "conv multiplications": 1e-6, "conv unaligned multiplications": 1e-6}
    model = LatencyModel(Target(), "here", rates)
    found = Estimator(digits, model)
    whole, *cut = [found.guess(step).costs[LATENCY] for step in found.steps(DISTILLED)]
    assert whole == pytest.approx(model.foresee(Model("cnn", 0.5).build(10, 1), digits.shape).ms)
    assert cut == pytest.approx([0.5 + (whole - 0.5) * left for left in (0.7, 0.4)])
    points = predict(DISTILLED, digits, model)
    assert [point.figures[LATENCY] for point in points] == [point.latency_ms for point in points]
    assert points[0].latency_ms == pytest.approx(whole)
    assert LATENCY not in predict(DISTILLED, digits)[0].figures
