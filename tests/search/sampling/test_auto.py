"""The sampler `auto` at the driver: the ledger reaches it, bounds hold, another study can be gone on from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from safetensors.torch import save_file

from compress.costs import deepest, predict
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.models import Model
from compress.plan import plan
from compress.pruning import APoZRounds, L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from search.beginning.begin_or_resume import take_up
from search.running.driver import Driver
from search.running.job import Job
from search.sampling.acquisition import STARTUP
from search.sampling.bounds import UNBOUNDED, Bounds
from search.sampling.optuna_study import AUTO, SAMPLERS, OptunaStudy
from search.sampling.suggest import takes
from search.study.endings import EARLY
from search.study.front import front
from search.study.record import StudyRecord
from search.study.seeds import front_of
from search.study.study import Study
from spaces import Space
from spaces.space import Trial
from spaces.study_training import StudyTraining

Event = Callable[..., dict[str, Any]]
ONCE = Training(epochs=1)
RATES = (0.01, 0.02, 0.05, 0.1, 0.2)


def build(trial: Trial, task: str, seed: int, widths: tuple[float, ...] = (0.25, 0.5, 1.0)) -> Recipe:
    """A rate, a width and a depth."""
    width = trial.suggest_categorical("width", widths)
    rate = trial.suggest_categorical("lr", RATES)
    depth = max(0.3, round(trial.suggest_float("sparsity", 0.0, 0.9), 1))
    cut = Prune(L1Filter(), depth, OneShot(2), Recovery(Training(epochs=1, lr=rate)))
    return Recipe(task, Model("cnn", width), (Train(ONCE), cut), seed=seed)


SPACE = Space("rates", build, Model("cnn"), "", ({"width": 0.5, "lr": 0.1, "sparsity": 0.5},))


@pytest.fixture
def begun(tmp_path: Path, digits: Task) -> Callable[..., Driver]:
    """`begun(name, sampler, trials, bounds)` is the driver of a new study."""

    def begin(
        name: str = "a",
        sampler: str = AUTO,
        trials: int = 14,
        bounds: Bounds = UNBOUNDED,
        earlier: StudyRecord | None = None,
        *,
        early_stopping: bool = True,
        seeds: int = 1,
        space: Space = SPACE,
        cost: str = "params",
    ) -> Driver:
        study = Study(tmp_path, name)
        if not study.exists:
            whole = predict(SPACE.baseline("digits", 0), digits)[0].costs
            reference = {"accuracy": 0.0, "params": whole.params, "macs": whole.macs, "latency_ms": 1.0}
            study.begin(task="digits", space="rates", objectives=["accuracy", cost], seed=0, reference_point=reference)
        optuna_study = OptunaStudy(InMemoryStorage(), name, ("accuracy", cost), 0, sampler)
        return take_up(
            study, optuna_study, space, digits, trials, bounds, earlier, early_stopping=early_stopping, seeds=seeds
        )

    return begin


def carry_out(driver: Driver, event: Event, trials: int = 99) -> list[Recipe]:
    """Whatever is handed out: the higher the rate, the better the points."""
    done: list[Recipe] = []
    while len(done) < trials and (job := driver.next()) is not None:
        number = job.trial
        recipe = Recipe.from_json(driver.study.trials[number].recipe)
        rate = dict(driver.study.trials[number].choices).get("lr", 0.0)
        made = {point.id: point.measured.score_validation for point in driver.study.record.points}
        for step, exact in zip(plan(recipe, driver.task.fingerprint), predict(recipe, driver.task), strict=True):
            accuracy = made.get(step.key, 0.5 + 2 * float(rate or 0))
            figures = {"score_validation": accuracy, "params": exact.costs.params, "seconds": 1.0}
            driver.add(number, [event(step.key, exact.sparsity, exact.variant, **figures)])
        driver.end(number, "complete", "", 1.0, {})
        done.append(recipe)
    return done


def rates(driver: Driver) -> list[Any]:
    return [trial.choices.get("lr") for trial in driver.study.trials.values()]


def test_it_learns_which_choice_is_good(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(trials=STARTUP + 12)
    found = carry_out(driver, event)
    assert len({recipe.id for recipe in found}) == len(found) == STARTUP + 12
    assert rates(driver)[STARTUP + 2 :].count(0.2) >= 7


def test_the_teacher_and_the_beginnings_come_first(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(sampler="tpe", trials=3)
    carry_out(driver, event)
    assert [driver.study.trials[n].choices for n in (0, 1)] == [{}, SPACE.beginnings[0]]


def test_a_desk_that_takes_over_knows_as_much(begun: Callable[..., Driver], event: Event) -> None:
    first = begun(trials=STARTUP + 4)
    carry_out(first, event)
    second = begun(trials=STARTUP + 9)
    assert first.auto is not None
    assert second.auto is not None
    assert [one.choices for one in second.auto.acquisition.seen] == [one.choices for one in first.auto.acquisition.seen]
    carry_out(second, event)
    assert rates(second)[-5:].count(0.2) >= 3


def test_latencies_are_learned_of_one_device_the_studys_own(begun: Callable[..., Driver], event: Event) -> None:
    def has(driver: Driver, device: str, count: int) -> None:
        for _ in range(count):
            job = driver.next()
            assert job is not None
            recipe = Recipe.from_json(driver.study.trials[job.trial].recipe)
            last = plan(recipe, driver.task.fingerprint)[-1]
            driver.add(job.trial, [event(last.key, last.sparsity, last.variant, device=device)])
            driver.end(job.trial, "complete", "", 1.0, {})

    earlier = begun(cost="latency_ms")
    has(earlier, "cpu", 2)
    has(earlier, "NVIDIA H200", 1)
    for name, device, learned in (("b", "cpu", 3), ("c", "NVIDIA H200", 2), ("d", "NVIDIA A10G", 1)):
        driver = begun(name, cost="latency_ms", earlier=earlier.study.record)
        assert driver.auto is not None
        assert driver.auto.acquisition.seen == []
        has(driver, device, 1)
        assert len(driver.auto.acquisition.seen) == learned
        has(driver, "another", 1)
        assert len(driver.auto.acquisition.seen) == learned


def test_a_recipe_all_of_whose_points_are_there_is_not_chosen(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(trials=STARTUP + 8)
    carry_out(driver, event)
    assert driver.auto is not None
    outlook = driver.auto.cost_model
    done = Recipe.from_json(driver.study.trials[3].recipe)
    assert outlook.points(done) == []
    cut = done.stages[-1]
    assert isinstance(cut, Prune)
    other = replace(cut, recovery=Recovery(Training(epochs=1, lr=0.3)))
    assert len(outlook.points(replace(done, stages=(done.stages[0], other)))) == 2, "the unpruned network is there"
    chosen = driver.auto.acquisition.choose((), [], 5).candidates
    assert chosen
    assert all(driver.auto.acquisition.outlook.points(one.recipe) for one in chosen)


def test_points_of_older_code_are_left_alone(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun()
    driver.next()
    driver.add(0, [event("key0", params=10)])
    assert driver.auto is not None
    assert driver.auto.acquisition.seen == []


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_carries_a_search(begun: Callable[..., Driver], event: Event, sampler: str) -> None:
    driver = begun(sampler=sampler, trials=13)
    assert len({recipe.id for recipe in carry_out(driver, event)}) == 13
    told = [trial for trial in driver.optuna_study.study.trials if trial.state == TrialState.COMPLETE]
    assert len(told) > 3 * 12


@pytest.mark.parametrize("sampler", [AUTO, "tpe"])
def test_a_recipe_out_of_bounds_is_answered_without_a_training(
    begun: Callable[..., Driver], event: Event, sampler: str, digits: Task
) -> None:
    driver = begun(sampler=sampler, trials=6, bounds=Bounds({"params": 1500.0}))
    made = carry_out(driver, event)
    assert len(made) == 6
    for recipe in made[1:]:
        assert min(point.costs.params for point in predict(recipe, digits)) <= 1500
    refused = [trial for trial in driver.optuna_study.study.trials if trial.state == TrialState.PRUNED]
    assert refused
    assert all(trial.values is None and trial.constraints["params"] > 0 for trial in refused)
    assert not driver.notes


@pytest.mark.parametrize(("poor", "early_stopping"), [(math.inf, True), (math.inf, False), (0.0, True)])
def test_a_trial_whose_rest_promises_little_ends_with_its_next_points(
    begun: Callable[..., Driver], event: Event, monkeypatch: pytest.MonkeyPatch, poor: float, early_stopping: bool
) -> None:
    monkeypatch.setattr("search.sampling.early_stopping.POOR", poor)
    driver = begun(trials=STARTUP + 9, early_stopping=early_stopping)
    carry_out(driver, event, STARTUP + 3)
    job = driver.next()
    assert job
    trial = driver.study.trials[job.trial]
    recipe = Recipe.from_json(trial.recipe)
    pairs = zip(plan(recipe, driver.task.fingerprint), predict(recipe, driver.task), strict=True)
    made = [event(step.key, exact.sparsity, exact.variant, params=exact.costs.params) for step, exact in pairs]
    driver.add(job.trial, made[:1])
    assert driver.next()
    assert trial.status == "running"
    driver.add(job.trial, made[1:2], {"train": 2.0})
    assert len(trial.points) == 2
    if not (poor and early_stopping):
        assert trial.status == "running"
        return
    assert (trial.status, trial.reason, trial.spent) == ("stopped", EARLY, {"train": 2.0})
    assert job.trial not in driver.study.unfinished
    assert trial.optuna is not None
    told = driver.optuna_study.study.trials
    assert told[trial.optuna].state == TrialState.FAIL
    observed = {one.user_attrs.get("point") for one in told if one.state == TrialState.COMPLETE}
    assert {point["id"] for point in made[:2]} <= observed


def test_a_curve_that_comes_to_its_end_is_complete_whatever_it_promised(
    begun: Callable[..., Driver], event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.sampling.early_stopping.POOR", math.inf)
    driver = begun(trials=STARTUP + 9)
    carry_out(driver, event, STARTUP + 3)
    job = driver.next()
    assert job
    recipe = Recipe.from_json(driver.study.trials[job.trial].recipe)
    pairs = zip(plan(recipe, driver.task.fingerprint), predict(recipe, driver.task), strict=True)
    made = [event(step.key, exact.sparsity, exact.variant) for step, exact in pairs]
    driver.add(job.trial, made[:1])
    driver.next()
    assert job.trial in driver.given_up
    driver.add(job.trial, made[1:])
    driver.end(job.trial, "complete", "", 1.0, {})
    assert driver.study.trials[job.trial].status == "complete"


def test_a_trial_without_points_is_not_ended(
    begun: Callable[..., Driver], event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.sampling.early_stopping.POOR", math.inf)
    driver = begun(trials=STARTUP + 9)
    carry_out(driver, event, STARTUP + 3)
    jobs = [driver.next() for _ in range(3)]
    assert [driver.study.trials[job.trial].status for job in jobs if job] == ["running"] * 3
    assert driver.given_up == frozenset()


@pytest.mark.parametrize("sampler", [AUTO, "random"])
def test_narrow_bounds_do_not_end_the_search(begun: Callable[..., Driver], event: Event, sampler: str) -> None:
    driver = begun(sampler=sampler, trials=STARTUP + 2, bounds=Bounds({"params": 400.0}))
    made = carry_out(driver, event)
    assert len(made) == STARTUP + 2
    assert driver.notes == []
    refused = [trial for trial in driver.optuna_study.study.trials if trial.state == TrialState.PRUNED]
    assert len(refused) < STARTUP if sampler == AUTO else refused


def test_bounds_that_nothing_fits_end_the_search_with_a_word(
    begun: Callable[..., Driver], event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.sampling.suggest.OUTSIDE", 12)
    driver = begun(sampler="random", bounds=Bounds({"params": 1.0}))
    assert len(carry_out(driver, event)) == 1
    assert driver.notes == ["the search ends: of 12 recipes in a row none would have a point within the bounds"]


def test_a_teacher_that_came_trained_says_little_of_how_long_a_training_takes(
    begun: Callable[..., Driver], event: Event, digits: Task, tmp_path: Path
) -> None:
    save_file(Model("cnn").build(len(digits.classes), digits.channels).state_dict(), tmp_path / "trained.safetensors")
    driver = begun(space=replace(SPACE, teacher=Model.parse(f"cnn@{tmp_path}/trained.safetensors")))
    recipe = Recipe.from_json(driver.study.trials[driver.next().trial].recipe)  # type: ignore[union-attr]
    (unpruned,) = plan(recipe, digits.fingerprint)
    assert isinstance(unpruned.stage, Train)
    assert unpruned.stage.training.epochs == 0
    driver.add(0, [event(unpruned.key, 0.0, "float", seconds=1.5)])
    assert driver.next() is not None


def test_a_method_that_finds_its_sparsity_is_held_to_a_bound_only_where_one_channel_everywhere_is_too_much(
    digits: Task,
) -> None:
    rounds = Prune(APoZRounds(), recovery=Recovery(ONCE))
    found = deepest(Recipe("digits", Model("cnn"), (Train(ONCE), rounds)), digits)
    assert Bounds({"params": 300.0}).over(found) == {}
    assert Bounds({"params": 10.0}).over(found) != {}


def test_the_accuracy_asked_for_ends_what_is_aimed_at(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(trials=2, bounds=Bounds({"params": 5000.0}, limit=0.9, of_teacher=True))
    assert driver.auto is not None
    assert driver.auto.acquisition.worst == 1.0
    carry_out(driver, event, 1)
    assert driver.auto.acquisition.worst == pytest.approx(1 - 0.9 * 0.5)
    assert driver.auto.acquisition.reference == {"params": 5000.0}


@pytest.mark.parametrize("sampler", [AUTO, "tpe"])
def test_another_studys_front_is_tried_first_and_all_it_knows_is_known(
    begun: Callable[..., Driver], event: Event, sampler: str
) -> None:
    earlier = begun(trials=STARTUP + 4)
    carry_out(earlier, event)
    record = earlier.study.record
    driver = begun("b", sampler, trials=STARTUP, earlier=record)
    carry_out(driver, event)
    best_trials = {point.trial for point in front(record.points, record.objectives)}
    best = [dict(trial.choices) for trial in record.trials if trial.id in best_trials and trial.choices]
    tried = [dict(trial.choices) for trial in driver.study.trials.values()]
    assert best
    assert tried[1 : 1 + len(best)] == best
    if driver.auto is not None:
        assert len(driver.auto.acquisition.seen) > len(record.points)


def test_a_method_that_found_little_to_cut_on_a_network_is_likely_to_find_little_again(
    begun: Callable[..., Driver], event: Event
) -> None:
    def rounds(model: Model, tolerance: float) -> Recipe:
        return Recipe("digits", model, (Train(ONCE), Prune(APoZRounds(tolerance=tolerance), recovery=Recovery(ONCE))))

    driver = begun(trials=3)
    for tolerance, sparsity in ((0.01, 0.0), (0.02, 0.3)):
        trial = driver.study.ask(rounds(Model("cnn"), tolerance).as_json(), {}, None)
        driver.add(trial, [event(f"{trial}", sparsity, "float")])
        driver.end(trial, "complete", "", 1.0, {})
    again = begun(trials=3)  # as `--resume` has it
    for one in (driver, again):
        assert one.auto is not None
        likely = one.auto.cost_model.likely
        predicted = APoZRounds().rounds
        assert likely(rounds(Model("cnn"), 0.05)) == pytest.approx((1 + 1) / (1 + 2 * predicted))
        assert likely(rounds(Model("cnn", 0.5), 0.05)) == 1
        assert likely(SPACE.baseline("digits", 0)) == 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_recipe_is_handed_out_twice_with_eight_in_flight(
    begun: Callable[..., Driver], event: Event, sampler: str
) -> None:
    driver = begun(sampler=sampler, trials=28)
    flying: list[Job] = []
    made: list[str] = []
    while True:
        while len(flying) < 8 and (job := driver.next()) is not None:
            flying.append(job)
            made.append(Recipe.from_json(job.recipe).id)
        if not flying:
            break
        trial = flying.pop(0).trial
        driver.add(trial, [event(f"{trial}", 0.5, params=1000 + trial)])
        driver.end(trial, "complete", "", 1.0, {})
    assert len(set(made)) == len(made) == 28


@pytest.mark.parametrize("sampler", [AUTO, "tpe"])
def test_what_another_study_found_with_other_models_is_left_out_and_said(
    begun: Callable[..., Driver], event: Event, sampler: str
) -> None:
    earlier = begun(trials=STARTUP + 4)
    carry_out(earlier, event)
    record = earlier.study.record
    best = {point.trial for point in front(record.points, record.objectives)}
    count = sum(trial.id in best and bool(trial.choices) for trial in record.trials)
    space = replace(SPACE, build=partial(build, widths=(1.5, 2.0)), beginnings=())
    driver = begun("b", sampler, trials=STARTUP, earlier=record, space=space)
    assert driver.notes == [
        f"of {count} recipes on the front of a {count} are of models that this study is not about, and are not tried"
    ]
    carry_out(driver, event)
    assert driver.failure is None
    if driver.auto is not None:
        assert all(one.choices["width"] in (1.5, 2.0) for one in driver.auto.acquisition.seen if one.choices)


@pytest.mark.parametrize("sampler", [AUTO, "tpe"])
def test_what_another_study_made_again_with_other_seeds_is_learned_but_not_tried(
    begun: Callable[..., Driver], event: Event, sampler: str
) -> None:
    earlier = begun(trials=STARTUP + 4)
    carry_out(earlier, event)
    earlier = begun(trials=STARTUP + 4, seeds=2)
    carry_out(earlier, event)
    record = earlier.study.record
    again = [trial for trial in record.trials if "seed" in trial.choices]
    assert again
    driver = begun("b", sampler, trials=STARTUP, earlier=record)
    assert driver.notes == []
    firsts = {family.points[0].trial for family in front_of(record.points, record.objectives)}
    wanted = [dict(trial.choices) for trial in record.trials if trial.id in firsts and trial.choices]
    assert all("seed" not in choices for choices in wanted)
    carry_out(driver, event)
    assert [dict(trial.choices) for trial in driver.study.record.trials][1 : 1 + len(wanted)] == wanted
    if driver.auto is not None:
        assert len(driver.auto.acquisition.seen) >= len(record.points)


def test_what_another_study_made_again_of_other_models_is_not_learned(
    begun: Callable[..., Driver], event: Event
) -> None:
    carry_out(begun(trials=STARTUP + 4), event)
    earlier = begun(trials=STARTUP + 4, seeds=2)
    carry_out(earlier, event)
    assert any("seed" in trial.choices for trial in earlier.study.record.trials)
    space = replace(SPACE, build=partial(build, widths=(1.5, 2.0)), beginnings=(), teacher=Model("cnn", 2.0))
    driver = begun("b", trials=2, earlier=earlier.study.record, space=space)
    assert driver.auto is not None
    assert driver.auto.acquisition.seen == []


def test_what_another_study_trained_otherwise_is_tried_but_not_learned(
    begun: Callable[..., Driver], event: Event
) -> None:
    earlier = begun(trials=STARTUP)
    carry_out(earlier, event)
    space = StudyTraining({"epochs": 7}).around(SPACE)
    driver = begun("b", trials=2, earlier=earlier.study.record, space=space)
    assert driver.auto is not None
    assert driver.auto.acquisition.seen == []
    sentence = f"of {STARTUP} trials of a {STARTUP} were trained otherwise, and say nothing here"
    assert sentence in driver.notes
    carry_out(driver, event)
    tried = [dict(trial.choices) for trial in driver.study.trials.values()]
    assert tried[1] in [dict(trial.choices) for trial in earlier.study.trials.values()]


def test_models_of_another_study_that_are_gone_are_not_learned(
    begun: Callable[..., Driver], event: Event, digits: Task, tmp_path: Path
) -> None:
    weights = tmp_path / "mine.safetensors"
    save_file(Model("cnn").build(len(digits.classes), digits.channels).state_dict(), weights)
    earlier = begun(trials=3, space=replace(SPACE, teacher=Model.parse(f"cnn@{weights}")))
    carry_out(earlier, event)
    record = earlier.study.record
    weights.unlink()
    driver = begun("b", trials=STARTUP, earlier=record)
    assert len(carry_out(driver, event)) == STARTUP


def pickily(trial: Trial, task: str, seed: int) -> Recipe:
    """Some choices make no recipe."""
    recipe = build(trial, task, seed)
    if recipe.student.width == 0.25:
        raise RecipeError("too narrow")
    return recipe


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_choices_that_make_no_recipe_are_passed_over(begun: Callable[..., Driver], event: Event, sampler: str) -> None:
    space = replace(SPACE, build=pickily)
    driver = begun(sampler=sampler, trials=13, space=space)
    assert len(carry_out(driver, event)) == 13
    states = {trial.state for trial in driver.optuna_study.study.trials}
    assert states <= {TrialState.COMPLETE, TrialState.FAIL}
    fits = [takes(space, "digits", 0, {"width": width, "lr": 0.1, "sparsity": 0.5}) for width in (0.25, 0.5)]
    assert fits == [False, True]


def test_a_network_that_cannot_be_built_at_a_width_is_not_chosen_at_it(
    begun: Callable[..., Driver], event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Model] = []

    def picky(recipe: Recipe, task: Task) -> Any:
        built.append(recipe.student)
        if recipe.student.width == 0.25:
            raise RecipeError("my_net: its width must be a half or one")
        return predict(recipe, task)

    monkeypatch.setattr("compress.estimate.predict", picky)
    driver = begun(trials=STARTUP + 3)
    made = carry_out(driver, event)
    assert len(made) == STARTUP + 3
    assert {recipe.student.width for recipe in made} == {0.5, 1.0}
    assert built.count(Model("cnn", 0.25)) == 1


def test_what_is_refused_is_replaced_by_what_was_chosen_with_it(
    begun: Callable[..., Driver], event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Counter[str]()
    counts: list[int] = []

    def refuse(recipe: Recipe, task: Task) -> None:
        looked[recipe.id] += 1
        if len(recipe.stages) > 1:
            raise RecipeError("it cannot be cut")

    monkeypatch.setattr("search.sampling.feasibility.check", refuse)
    driver = begun(trials=4)
    assert driver.auto is not None
    choose = driver.auto.choose

    def counted(tried: Container[str], more: int) -> Any:
        counts.append(more)
        return choose(tried, more)

    monkeypatch.setattr(driver.auto, "choose", counted)
    assert len(carry_out(driver, event)) == 1
    assert "none could be carried out" in driver.notes[-1]
    assert len(looked) > 40
    assert sum(more > 0 for more in counts) < 20


def test_a_network_whose_trials_fail_is_likely_to_fail_again(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(trials=STARTUP)
    while (job := driver.next()) is not None:
        number = job.trial
        recipe = Recipe.from_json(driver.study.trials[number].recipe)
        if recipe.student.width == 0.25:
            driver.end(number, "failed", "its loss is no number", 1.0, {})
            continue
        for step, exact in zip(plan(recipe, driver.task.fingerprint), predict(recipe, driver.task), strict=True):
            rate = float(driver.study.trials[number].choices.get("lr") or 0.0)
            figures = {"score_validation": 0.5 + 2 * rate, "params": exact.costs.params, "seconds": 1.0}
            driver.add(number, [event(step.key, exact.sparsity, exact.variant, **figures)])
        driver.end(number, "complete", "", 1.0, {})
    failed = [trial.id for trial in driver.study.record.trials if trial.status == "failed"]
    assert failed
    again = begun(trials=STARTUP)  # as `--resume` has it
    for one in (driver, again):
        assert one.auto is not None
        likely = one.auto.cost_model.likely
        assert likely(SPACE.baseline("digits", 0)) == 1
        assert likely(Recipe.from_json(driver.study.trials[failed[0]].recipe)) == pytest.approx(
            1 / (1 + 3 * len(failed))
        )


def test_a_search_that_started_from_another_still_knows_it_when_it_goes_on(
    begun: Callable[..., Driver], event: Event
) -> None:
    earlier = begun(trials=STARTUP + 4)
    carry_out(earlier, event)
    record = earlier.study.record
    carry_out(begun("b", trials=2, earlier=record), event)
    again = begun("b", trials=4, earlier=record)
    assert again.auto is not None
    assert len(again.auto.acquisition.seen) > len(record.points)
    assert dict(again.study.trials[1].choices) in [dict(trial.choices) for trial in record.trials]
