"""Every registered space: recipes of many random trials, and the promises of a space about its recipes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial

from compress.costs import predict
from compress.data.tasks import Task
from compress.distill import DISTILLERS
from compress.plan import plan
from compress.pruning import PRUNERS, DuringTraining
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Stage, Train
from search.sampling.candidates import Draw
from spaces import EARLIER, SPACES, Space
from spaces.listing import listing
from spaces.papers import PAPERS
from spaces.space import ANYWHERE, DEFAULT_EFFORT, SUITED, Value, distiller, effort, place, pruner

TRIALS = 200
Drawn = list[tuple[dict[str, object], dict[str, BaseDistribution], Recipe]]
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=list(SPACES))


@lru_cache(maxsize=8)
def drawn(name: str) -> Drawn:
    """What `TRIALS` random trials chose, out of what, and the recipes built from it."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found: Drawn = []
    for _ in range(TRIALS):
        trial = study.ask()
        recipe = SPACES[name].build(trial, "digits", 7)
        found.append((trial.params, trial.distributions, recipe))
    return found


@every_space
def test_every_recipe_survives_its_json(space: Space) -> None:
    for _, _, recipe in drawn(space.name):
        assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))) == recipe


@every_space
def test_the_same_choices_give_the_same_recipe(space: Space) -> None:
    for choices, _, recipe in drawn(space.name):
        assert space.build(FixedTrial(choices), "digits", 7).id == recipe.id


@every_space
def test_a_choice_has_one_distribution_wherever_it_is_asked_for(space: Space) -> None:
    known: dict[str, BaseDistribution] = {}
    for _, distributions, _ in drawn(space.name):
        for name, distribution in distributions.items():
            assert known.setdefault(name, distribution) == distribution, name


@every_space
def test_task_and_seed_are_passed_on(space: Space) -> None:
    choices, _, recipe = drawn(space.name)[0]
    other = space.build(FixedTrial(choices), "cifar10", 8)
    assert (recipe.task, recipe.seed) == ("digits", 7)
    assert (other.task, other.seed) == ("cifar10", 8)


@every_space
def test_random_trials_give_many_different_recipes(space: Space) -> None:
    recipes = [recipe.id for _, _, recipe in drawn(space.name)]
    chosen = [tuple(sorted(choices.items(), key=str)) for choices, _, _ in drawn(space.name)]
    wanted = len(listing(space, "digits", 7, {}).choices) if space.name in PAPERS else 20
    assert min(wanted, 20) <= len(set(recipes)) <= len(set(chosen))


@pytest.mark.parametrize("space", EARLIER.values(), ids=list(EARLIER))
def test_no_task_is_without_an_effort(space: Space) -> None:
    lesson = space.baseline("digits", 0).stages[0].lesson
    assert lesson is not None
    scratch = replace(lesson.training, epochs=DEFAULT_EFFORT.scratch)
    assert space.baseline("folder:/pictures", 0).stages[0] == Train(scratch)
    assert effort("digits") != DEFAULT_EFFORT


@every_space
def test_the_baseline_is_trained_as_recipes_train_that_model(space: Space) -> None:
    own = space.for_task("digits")
    plans = [step for _, _, recipe in drawn(space.name) for step in plan(recipe, "data")]
    steps = [*plans, *(step.teacher for step in plans if step.teacher is not None)]
    trained = {step.key for step in steps if isinstance(step.stage, Train) and step.model == own.teacher}
    assert trained == {plan(own.baseline("digits", 7), "data")[0].key}


@every_space
def test_costs_of_a_recipe_are_foreseen_without_training(space: Space, digits: Task) -> None:
    narrow = [r for _, _, r in drawn(space.name) if r.student.family == "cnn" and r.student.width < 1]
    for recipe in [*narrow[:6], *filter(adds, narrow[6:])][:8]:
        points = predict(recipe, digits)
        assert [(p.sparsity, p.variant) for p in points] == [(s.sparsity, s.variant) for s in plan(recipe, "")]
        floats = [p.costs.nonzero_params for p in points[1:] if p.variant == "float"]
        assert all(count > 0 for count in floats)
        full, known = points[0].costs.params, all(p.sparsity is not None for p in points)
        assert adds(recipe) or all(count < full if known else count <= full for count in floats)


def adds(recipe: Recipe) -> bool:
    """Whether a network that was cut gets layers with its recovery."""
    methods = [stage.distiller for stage in recipe.stages[1:]]
    return any(method is not None and method.ships_adapter for method in methods)


def test_the_joint_space_cuts_at_once_what_recovers_with_layers_of_its_own() -> None:
    cuts = [r.stages[1] for _, _, r in drawn("joint") if adds(r)]
    assert len({cut.name for cut in cuts}) == 2
    assert all(not cut.sequential for cut in cuts if isinstance(cut, Prune | Factorize))


@every_space
def test_beginnings_are_complete_and_legal(space: Space) -> None:
    for choices in space.beginnings:
        asked = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        asked.enqueue_trial(dict(choices))
        trial = asked.ask()
        assert space.build(trial, "digits", 0).id == space.build(FixedTrial(dict(choices)), "digits", 0).id
        assert trial.params == choices


def test_the_joint_space_reaches_every_order_with_and_without_int8() -> None:
    seen = {(choices["order"], choices["int8"]) for choices, _, _ in drawn("joint")}
    orders = ("distill-prune", "prune-distill", "prune", "lowrank")
    assert seen == {(order, int8) for order in orders for int8 in (False, True)}


@pytest.mark.parametrize(
    ("order", "first", "cut", "teaches"),
    [
        ("distill-prune", Distill, Prune, None),
        ("prune-distill", Train, Prune, True),
        ("prune", Train, Prune, False),
        ("lowrank", Train, Factorize, None),
    ],
)
def test_an_order_of_the_joint_space_is_what_its_name_says(
    order: str, first: type, cut: type, teaches: bool | None
) -> None:
    for choices, _, recipe in drawn("joint"):
        if choices["order"] != order:
            continue
        second = recipe.stages[1]
        assert isinstance(second, Prune | Factorize)
        assert (type(recipe.stages[0]), type(second)) == (first, cut)
        assert (recipe.teacher is not None) == (order == "distill-prune")
        assert teaches is None or (second.recovery.distiller is not None) == teaches


def test_a_pruner_inside_training_recovers_all_weights_in_the_joint_space() -> None:
    stages = [(choices, recipe.stages[1]) for choices, _, recipe in drawn("joint")]
    found = [(c, s) for c, s in stages if isinstance(s, Prune) and isinstance(s.method, DuringTraining)]
    assert "classifier" in {choices.get("scope", choices.get("recovery")) for choices, _ in found}
    assert {stage.recovery.scope for _, stage in found} == {"all"}


def test_methods_are_made_with_the_settings_that_suit_the_task() -> None:
    for kinds, make in ((DISTILLERS, distiller), (PRUNERS, pruner)):
        made: Callable[[object, str], object] = make
        for name, kind in kinds.items():
            settings = {**ANYWHERE.get(name, {}), **SUITED["digits"].get(name, {})}
            assert made(name, "digits") == kind(**settings)
            assert made(name, "folder:/pictures") == kind(**ANYWHERE.get(name, {}))
    assert set(SUITED["digits"]) <= {*DISTILLERS, *PRUNERS}


def test_int8_in_the_joint_space_is_the_last_stage_or_absent() -> None:
    for choices, _, recipe in drawn("joint"):
        assert [isinstance(stage, Quantize) for stage in recipe.stages] == [
            False,
            False,
            *[True] * bool(choices["int8"]),
        ]


def test_a_curve_of_the_joint_space_goes_at_least_half_way() -> None:
    for choices, _, recipe in drawn("joint"):
        deepest = max(step.sparsity or 0.0 for step in plan(recipe, ""))
        if any(step.sparsity is None for step in plan(recipe, "")):
            continue
        assert 0.5 <= deepest <= 0.95
        assert deepest == pytest.approx(max(float(str(choices["sparsity"])), 0.5), abs=0.0251)


def cuts_of_malihi() -> list[tuple[Recipe, Stage, Prune]]:
    """Return the recipes of the space, of today and of earlier, that cut; the first stage and the cut of each."""
    chance = np.random.default_rng(0)
    earlier = [EARLIER["malihi2023"].build(Draw(chance), "digits", 7) for _ in range(TRIALS)]
    recipes = [recipe for _, _, recipe in drawn("malihi2023")] + earlier
    return [(r, r.stages[0], r.stages[1]) for r in recipes if len(r.stages) > 1 and isinstance(r.stages[1], Prune)]


def test_malihi_cuts_from_0_to_90_percent_in_steps_of_10() -> None:
    tenths = [round(k / 10, 6) for k in range(10)]
    for recipe, _, _ in cuts_of_malihi():
        assert [step.sparsity for step in plan(recipe, "")] == tenths


def test_malihi_tunes_the_classifier_alone_of_a_distilled_student_or_of_its_teacher() -> None:
    firsts = set()
    for recipe, first, cut in cuts_of_malihi():
        firsts.add(type(first))
        assert isinstance(first, Distill) == (recipe.teacher is not None)
        assert (cut.recovery.scope, cut.recovery.distiller, cut.method.name) == ("classifier", None, "l1-unstructured")
    assert firsts == {Distill, Train}


def test_a_point_takes_the_place_of_its_own_sparsity_and_bits() -> None:
    choices: dict[str, Value] = {"order": "prune", "sparsity": 0.9, "int8": True}
    assert place(choices, 0.3, "float") == {"order": "prune", "sparsity": 0.3, "int8": False}
    assert place(choices, 0.3, "int8") == {"order": "prune", "sparsity": 0.3, "int8": True}


def test_a_place_adds_no_choice_that_was_not_asked_for() -> None:
    assert place({"lr": 0.1}, 0.3, "int8") == {"lr": 0.1}
