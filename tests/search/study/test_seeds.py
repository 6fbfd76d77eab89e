"""Other seeds: means and their confidence by hand, the front of the means, and which recipes are made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from compress.costs import predict
from compress.data.tasks import Task
from compress.measurement import Measurement
from compress.models import Model
from compress.plan import plan
from compress.pruning import L1Filter, OneShot
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stages import Prune, Quantize, Recovery, Train
from compress.training.settings import Training
from search.beginning.begin_or_resume import reseeding, take_up
from search.running.driver import Driver
from search.running.job import Job
from search.running.replicates import ENOUGH, Wanted
from search.running.sources import NotNow
from search.sampling.optuna_study import OptunaStudy
from search.study.front import front
from search.study.record import Point, StudyRecord
from search.study.seeds import Family, families, front_of, middle
from search.study.study import Study
from spaces import Space
from spaces.space import Trial

Event = Callable[..., dict[str, Any]]
OBJECTIVES = ("accuracy", "params")
ONCE = Training(epochs=1)
SEEDS = 3


@pytest.fixture
def point(measurement: Measurement) -> Callable[..., Point]:
    """`point(id, accuracy, params, family)`."""

    def make(key: str, accuracy: float, params: int = 100, family: str = "") -> Point:
        figures = replace(measurement, score_validation=accuracy, score_test=accuracy - 0.1, params=params)
        return Point(key, 0, {}, 0.0, "float", figures, "", family)

    return make


def test_mean_and_confidence_are_those_computed_by_hand(point: Callable[..., Point]) -> None:
    (family,) = families([point("b", 0.8, 110, "a"), point("a", 0.9), point("c", 0.7, 102, "a")])
    assert [one.id for one in family.points] == ["a", "b", "c"]
    assert family.validation == pytest.approx(0.8)
    assert family.test == pytest.approx(0.7)
    assert family.margin == pytest.approx(4.3027 * 0.1 / 3**0.5, abs=1e-4)  # t(2 degrees of freedom) at 97.5 %
    assert family.mean.measured.params == 104
    assert family.mean.id == "a"


def test_of_two_seeds_that_differ_the_interval_is_all_that_an_accuracy_can_be(point: Callable[..., Point]) -> None:
    (family,) = families([point("a", 0.9), point("b", 0.6, 100, "a")])
    assert family.margin == pytest.approx(0.75)
    assert family.lower_end(0.0) == 0


def test_one_seed_says_nothing_of_confidence_and_changes_nothing(point: Callable[..., Point]) -> None:
    points = [point("a", 0.9), point("b", 0.8, 50), point("c", 0.7)]
    found = front_of(points, OBJECTIVES)
    assert [family.points[0] for family in found] == front(points, OBJECTIVES)
    assert [family.margin for family in found] == [None, None]
    assert found[0].mean is points[0]


def test_a_lucky_seed_leaves_the_front(point: Callable[..., Point]) -> None:
    lucky, steady = point("a", 0.95), point("b", 0.9)
    assert [family.points[0].id for family in front_of([lucky, steady], OBJECTIVES)] == ["a"]
    again = [point("c", 0.8, 100, "a"), point("d", 0.9, 100, "b")]
    assert [family.points[0].id for family in front_of([lucky, steady, *again], OBJECTIVES)] == ["b"]


def test_the_example_of_a_front_is_a_model_of_it(point: Callable[..., Point]) -> None:
    points = [point("a", 0.9), point("b", 0.8, 50), point("c", 0.7, 40), point("d", 0.6, 30), point("e", 0.95, 60, "b")]
    found = front_of(points, OBJECTIVES)
    assert [family.points[0].id for family in found] == ["a", "b", "c", "d"]
    assert middle(found) == points[1]
    assert middle([]) is None


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """A curve of two levels, in both bits."""
    width = trial.suggest_categorical("width", (0.25, 0.375, 0.5, 0.75))
    cut = Prune(L1Filter(), 0.6, OneShot(2), Recovery(ONCE))
    return Recipe(task, Model("cnn", width), (Train(ONCE), cut, Quantize(QUANTIZERS["int8"]())), seed=seed)


SPACE = Space("widths", build, Model("cnn"), "")


@pytest.fixture
def begun(tmp_path: Path, digits: Task) -> Callable[..., Driver]:
    """`begun(seeds)` is the driver of study `a`, new or gone on with."""

    def begin(seeds: int = SEEDS, trials: int = 4, repeated: Wanted | None = None, **settings: Any) -> Driver:
        study = Study(tmp_path, "a")
        if not study.exists:
            reference = {"accuracy": 0.0, "params": 1e6, "macs": 1e9, "latency_ms": 1.0}
            study.begin(task="digits", space="widths", objectives=OBJECTIVES, seed=7, reference_point=reference)
        optuna_study = OptunaStudy(InMemoryStorage(), "a", OBJECTIVES, 0, "random")
        if repeated is not None:
            return reseeding(study, digits, seeds, repeated)
        return take_up(study, optuna_study, SPACE, digits, trials, seeds=seeds, **settings)

    return begin


def carry_out(driver: Driver, event: Event, job: Job) -> Recipe:
    """Less accurate the more is cut; unpruned as good as the seed is even."""
    recipe = Recipe.from_json(driver.study.trials[job.trial].recipe)
    for step, exact in zip(plan(recipe, driver.task.fingerprint), predict(recipe, driver.task), strict=True):
        accuracy = 0.9 - 0.3 * (exact.sparsity or 0) + 0.01 * (recipe.seed % 2)
        figures = {"score_validation": accuracy, "params": exact.costs.params}
        driver.add(job.trial, [event(step.key, exact.sparsity, exact.variant, **figures)])
        if driver.has_ended(job.trial):
            break
    driver.end(job.trial, "complete", "", 1.0, {})
    return recipe


def carry_out_all(driver: Driver, event: Event) -> list[Recipe]:
    """Until there is nothing left."""
    found = []
    while (job := driver.next()) is not None:
        found.append(carry_out(driver, event, job))
    return found


def test_what_is_on_the_front_is_made_with_every_seed_and_nothing_else_is(
    begun: Callable[..., Driver], event: Event
) -> None:
    driver = begun()
    made = carry_out_all(driver, event)
    assert [recipe.seed for recipe in made[:4]] == [7] * 4
    assert {recipe.seed for recipe in made[4:]} <= {8, 9}
    assert len({recipe.id for recipe in made}) == len(made)
    found = front_of(driver.study.record.points, OBJECTIVES)
    assert {len(family.points) for family in found} == {SEEDS}
    assert all(family.margin is not None for family in found)
    best = {Recipe.from_json(family.points[0].recipe).student for family in found}
    assert best <= {recipe.student for recipe in made[4:]}


def test_the_plain_teacher_is_made_again_by_its_name(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(trials=1)
    made = carry_out_all(driver, event)
    assert [recipe.seed for recipe in made] == [7, 8, 9]
    assert [dict(trial.choices) for trial in driver.study.record.trials[1:]] == [
        {"student": "cnn", "seed": 8},
        {"student": "cnn", "seed": 9},
    ]


def at(sparsity: float) -> Wanted:
    """The float point of the second trial's curve that comes last up to there."""

    def wanted(record: StudyRecord) -> list[Family]:
        reached = [p for p in record.trials[1].points if p.sparsity <= sparsity and p.variant == "float"]
        return [family for family in families(record.points) if family.points[0] in reached[-1:]]

    return wanted


def test_of_a_curve_no_more_is_made_again_than_is_wanted(begun: Callable[..., Driver], event: Event) -> None:
    carry_out_all(begun(seeds=1, trials=2), event)
    driver = begun(repeated=at(0.3))
    assert [recipe.seed for recipe in carry_out_all(driver, event)] == [8, 9]
    again = driver.study.record.trials[2:]
    assert [(trial.status, trial.reason) for trial in again] == [("stopped", ENOUGH)] * 2
    assert [[point.variant for point in trial.points] for trial in again] == [["float", "int8", "float"]] * 2


def test_a_curve_goes_on_where_more_of_it_is_wanted_and_nothing_is_asked_twice(
    begun: Callable[..., Driver], event: Event
) -> None:
    carry_out_all(begun(seeds=1, trials=2), event)
    carry_out_all(begun(repeated=at(0.3)), event)
    driver = begun(repeated=at(1.0))
    assert [recipe.seed for recipe in carry_out_all(driver, event)] == [8, 9]
    assert [len(trial.points) for trial in driver.study.record.trials[2:]] == [5, 5]
    assert carry_out_all(begun(repeated=at(1.0)), event) == []


def test_a_trial_that_has_made_all_it_can_is_complete(begun: Callable[..., Driver], event: Event) -> None:
    carry_out_all(begun(seeds=1, trials=2), event)
    driver = begun(repeated=lambda record: families(record.trials[1].points)[-1:])
    assert [recipe.seed for recipe in carry_out_all(driver, event)] == [8, 9]
    assert [(trial.status, len(trial.points)) for trial in driver.study.record.trials[2:]] == [("complete", 6)] * 2


@pytest.mark.parametrize(
    ("settings", "lengths"),
    [({"early_stopping": False}, [6]), ({"listed": [{"width": 0.25}]}, [6]), ({}, [3])],
)
def test_a_whole_curve_goes_on_after_the_last_model_of_the_first_seed(
    begun: Callable[..., Driver], event: Event, settings: dict[str, Any], lengths: list[int]
) -> None:
    """As the curve of a pruner that decides how far to cut."""
    driver = begun(seeds=1, trials=2, **settings)
    teacher, short = (driver.next(), driver.next())
    assert teacher
    assert short
    carry_out(driver, event, teacher)
    recipe = Recipe.from_json(driver.study.trials[short.trial].recipe)
    for place, step in enumerate(plan(recipe, driver.task.fingerprint)[:3]):
        driver.add(short.trial, [event(step.key, place / 10, "float", score_validation=0.99, params=10 - place)])
    driver.end(short.trial, "complete", "", 1.0, {})
    repeating = begun(seeds=2, trials=2, **settings)
    carry_out_all(repeating, event)
    again = [trial for trial in repeating.study.record.trials if trial.choices.get("seed") and "width" in trial.choices]
    assert [len(trial.points) for trial in again] == lengths


def test_what_a_search_left_undone_stays_so_while_others_are_made_again(
    begun: Callable[..., Driver], event: Event
) -> None:
    carry_out_all(begun(seeds=1, trials=2), event)
    search = begun(seeds=1, trials=3)
    left = search.next()
    assert left
    search.close()
    made = carry_out_all(begun(repeated=at(0.3)), event)
    assert [recipe.seed for recipe in made] == [8, 9]
    study = begun(repeated=at(0.3)).study
    assert study.unfinished == [left.trial]


def test_what_was_interrupted_goes_on_as_the_same_trial(begun: Callable[..., Driver], event: Event) -> None:
    carry_out_all(begun(seeds=1, trials=2), event)
    cut_off = begun(repeated=at(0.3))
    assert cut_off.next() is not None
    cut_off.close()
    driver = begun(repeated=at(0.3))
    assert [recipe.seed for recipe in carry_out_all(driver, event)] == [8, 9]
    assert len(driver.study.trials) == 4


def test_a_repeat_that_comes_further_than_its_own_seeds_trial_is_no_reason_for_more(
    begun: Callable[..., Driver], event: Event
) -> None:
    def points(driver: Driver, job: Job, count: int) -> None:
        recipe = Recipe.from_json(driver.study.trials[job.trial].recipe)
        planned = zip(plan(recipe, driver.task.fingerprint), predict(recipe, driver.task), strict=True)
        driver.add(job.trial, [event(step.key, exact.sparsity, exact.variant) for step, exact in planned][:count])

    driver = begun(seeds=1, trials=2)
    for count in (6, 3):
        job = driver.next()
        assert job
        points(driver, job, count)
        driver.end(job.trial, "complete", "", 1.0, {})
    driver = begun(repeated=lambda record: families(record.points))
    made: list[int] = []
    while len(made) < 9 and (job := driver.next()) is not None:
        made.append(job.trial)
        points(driver, job, 4)
        driver.end(job.trial, "complete", "", 1.0, {})
    assert made == [2, 3, 4, 5]


def test_what_another_version_made_is_not_made_again(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(trials=1)
    job = driver.next()
    assert job
    driver.add(job.trial, [event("made-otherwise")])
    driver.end(job.trial, "complete", "", 1.0, {})
    assert driver.next() is None


def test_repeats_wait_for_what_may_still_come_to_the_front(begun: Callable[..., Driver], event: Event) -> None:
    driver = begun(trials=1)
    job = driver.next()
    assert job
    with pytest.raises(NotNow):
        driver.next()
    carry_out(driver, event, job)
    again = driver.next()
    assert again
    assert driver.study.trials[again.trial].recipe["seed"] == 8


def test_one_seed_repeats_nothing(begun: Callable[..., Driver], event: Event) -> None:
    assert {recipe.seed for recipe in carry_out_all(begun(seeds=1), event)} == {7}


def test_a_study_may_be_given_more_seeds_and_more_trials_later(begun: Callable[..., Driver], event: Event) -> None:
    first = carry_out_all(begun(seeds=1, trials=2), event)
    second = carry_out_all(begun(seeds=2, trials=3), event)
    assert [recipe.seed for recipe in first] == [7, 7]
    assert [recipe.seed for recipe in second].count(7) == 1
    assert 8 in {recipe.seed for recipe in second}
    study = begun().study
    assert study.originals == 3
    assert {len(family.points) for family in front_of(study.record.points, OBJECTIVES)} == {2}
