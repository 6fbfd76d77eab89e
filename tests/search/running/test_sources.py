"""Where the driver takes trials from: each source by itself, and the study that a driver is made for."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from compress.data.tasks import Task
from compress.recipe import Recipe
from search.beginning.begin_or_resume import take_up
from search.running.driver import Driver
from search.running.replicates import Replicates
from search.running.sources import NewRecipes, NotNow, OtherSeeds, Resumed
from search.sampling.in_progress import InProgress
from search.sampling.optuna_study import OptunaStudy
from search.sampling.suggest import Answer, Asked
from search.study.study import Study
from spaces import SPACES

OBJECTIVES = ("accuracy", "params")


def new_recipes(answers: list[Answer], left: int = 9, *, reaches: bool = True, **settings: Any) -> NewRecipes:
    """The source over a suggester with these answers, and a database that answers or does not."""

    def reach(action: Callable[[], None]) -> bool:
        if reaches:
            action()
        return reaches

    suggester: Any = SimpleNamespace(next=lambda known: answers.pop(0))
    connection: Any = SimpleNamespace(reach=reach)
    return NewRecipes(suggester, connection, left, **settings)


@pytest.fixture
def asked(recipe: Callable[..., Recipe]) -> Asked:
    return Asked(recipe(), {}, 0)


def test_new_recipes_are_no_more_than_wanted(asked: Asked) -> None:
    source = new_recipes([Answer(asked), Answer(asked)], left=1)
    assert [source.next({}).asked for _ in range(2)] == [asked, None]


def test_once_no_new_recipe_was_found_none_is_asked_for(asked: Asked) -> None:
    source = new_recipes([Answer(None), Answer(asked)])
    assert [source.next({}).asked for _ in range(2)] == [None, None]


def test_new_recipes_wait_for_a_database_that_does_not_answer(asked: Asked) -> None:
    source = new_recipes([Answer(asked)], reaches=False)
    with pytest.raises(NotNow):
        source.next({})
    assert source.left == 9


@pytest.mark.parametrize(("early_stopping", "given_up"), [(True, frozenset({3})), (False, None)])
def test_trials_to_end_early_are_part_of_the_answer_unless_every_curve_is_wanted_whole(
    asked: Asked, early_stopping: bool, given_up: frozenset[int] | None
) -> None:
    source = new_recipes([Answer(asked, frozenset({3}))], early_stopping=early_stopping)
    assert source.next({}).given_up == given_up


def test_trials_that_run_in_no_workers_hands_are_given_once_by_their_numbers(
    study: Study, recipe: Callable[..., Recipe]
) -> None:
    for seed in range(3):
        study.ask(recipe(seed=seed).as_json(), {}, None)
    study.end(1, "complete", "", 1.0, {})
    source = Resumed(study)
    found = [source.next({}).asked for _ in range(3)]
    assert [one and (one.trial, one.recipe.seed) for one in found] == [(0, 0), (2, 2), None]


def test_other_seeds_wait_while_a_trial_runs(study: Study, recipe: Callable[..., Recipe], digits: Task) -> None:
    trial = study.ask(recipe().as_json(), {}, None)
    source = OtherSeeds(study, Replicates(2, 0, digits.fingerprint))
    with pytest.raises(NotNow):
        source.next({})
    study.end(trial, "complete", "", 1.0, {})
    assert source.next({}) == Answer(None)


def events(study: Study) -> list[str]:
    return [event["event"] for event in study.ledger.events()]


def test_a_driver_writes_nothing_into_the_study_before_it_is_asked(study: Study, digits: Task) -> None:
    optuna_study = OptunaStudy(InMemoryStorage(), "s", OBJECTIVES, 0)
    Driver(study, optuna_study, digits, Replicates(1, 0, digits.fingerprint), InProgress(digits.fingerprint))
    assert events(study) == ["study"]


def test_to_take_a_study_up_begins_with_the_teacher_or_with_what_is_unfinished(study: Study, digits: Task) -> None:
    for expected in (["study", "asked"], ["study", "asked", "ended", "resumed"]):
        optuna_study = OptunaStudy(InMemoryStorage(), "s", OBJECTIVES, 0)
        driver = take_up(study, optuna_study, SPACES["joint"], digits, trials=2)
        assert events(study) == expected
        assert driver.next()
        driver.close()
