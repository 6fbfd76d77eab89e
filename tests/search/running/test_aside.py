"""Choices made in a thread: what the driver does meanwhile, and what the samplers hear when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from typing import Any

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from compress.data.tasks import Task
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from search.beginning.begin_or_resume import take_up
from search.running.aside import Aside, choosing_aside
from search.running.driver import Driver
from search.running.job import Job
from search.running.sources import Choosing, NewRecipes, NotNow
from search.sampling.optuna_study import AUTO, OptunaStudy
from search.sampling.suggest import Answer
from search.study.study import Study
from spaces import Space
from spaces.space import Trial

Event = Callable[..., dict[str, Any]]


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Forty widths."""
    width = trial.suggest_categorical("width", tuple(range(1, 41)))
    return Recipe(task, Model("cnn", width / 8), (Train(Training(epochs=1)),), seed=seed)


SPACE = Space("widths", build, Model("cnn"), "")


class Gate:
    """Stops every choice until `open`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened, theirs = threading.Event(), threading.Event(), NewRecipes.next

        def slowly(source: NewRecipes, known: Mapping[str, int]) -> Answer:
            self.reached.set()
            assert self.opened.wait(60)
            return theirs(source, known)

        monkeypatch.setattr(NewRecipes, "next", slowly)


@pytest.fixture
def driver(study: Study, digits: Task) -> Driver:
    study.begin(task="digits", space="widths", seed=0, objectives=["accuracy", "params"], reference_point=REFERENCE)
    return take_up(study, OptunaStudy(InMemoryStorage(), "s", ("accuracy", "params"), 0, AUTO), SPACE, digits, 6)


REFERENCE = {"accuracy": 0.0, "params": 1e6, "macs": 1e7, "flops": 2e7, "latency_ms": 1.0}


def waited_for(driver: Driver) -> Job | None:
    """The next trial, however long its choice takes."""
    while True:
        try:
            return driver.next()
        except Choosing as soon:
            wait([soon.choice])


def test_while_a_recipe_is_chosen_results_are_written_down_and_told_later(
    driver: Driver, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    told: list[int] = []
    monkeypatch.setattr(driver.auto, "learn", lambda trial, point: told.append(trial))
    with choosing_aside(driver):
        assert driver.next() is not None, "the teacher was asked for before"
        driver.look_ahead()
        assert gate.reached.wait(60)
        driver.add(0, [event("key")])
        driver.say("a note")
        assert (len(driver.study.record.points), told) == (1, []), "the samplers are at work"
        with pytest.raises(Choosing):
            driver.next()
        gate.opened.set()
        job = waited_for(driver)
    assert job is not None
    assert (job.trial, told, driver.notes) == (1, [0], ["a note"])


def test_all_trials_are_chosen_so_and_each_recipe_once(driver: Driver, event: Event) -> None:
    with choosing_aside(driver):
        jobs = []
        while (job := waited_for(driver)) is not None:
            jobs.append(job)
            driver.look_ahead()
            driver.add(job.trial, [event(f"key{job.trial}")])
            driver.end(job.trial, "complete", "", 1.0, {})
    assert [job.trial for job in jobs] == list(range(6))
    assert len({Recipe.from_json(job.recipe).id for job in jobs}) == 6
    assert {trial.state for trial in driver.optuna_study.study.trials if "of" not in trial.user_attrs} == {
        TrialState.COMPLETE
    }


def test_a_recipe_that_nobody_took_is_forgotten_at_the_end(driver: Driver) -> None:
    with choosing_aside(driver):
        driver.next()
        driver.look_ahead()
    assert [trial.state for trial in driver.optuna_study.study.trials] == [TrialState.FAIL]
    assert len(driver.study.trials) == 1
    assert isinstance(driver.sources[1], NewRecipes)


@pytest.mark.parametrize("error", [NotNow(), RuntimeError("the sampler is broken")])
def test_an_error_of_a_choice_comes_to_whoever_asks(
    error: Exception, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(source: NewRecipes, known: Mapping[str, int]) -> Answer:
        raise error

    monkeypatch.setattr(NewRecipes, "next", fails)
    with choosing_aside(driver):
        driver.next()
        with pytest.raises(type(error)):
            waited_for(driver)


def test_an_error_of_what_was_kept_for_later_ends_the_search_in_order(
    driver: Driver, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with choosing_aside(driver):
        driver.next()
        driver.look_ahead()
        assert gate.reached.wait(60)
        driver.add(0, [event("key")])
        monkeypatch.setattr(driver.auto, "learn", full)
        gate.opened.set()
    assert isinstance(driver.failure, OSError)
    assert isinstance(driver.sources[1], NewRecipes)


def test_a_choice_that_hangs_is_left_alone_at_the_end_and_so_are_the_samplers(
    driver: Driver, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    monkeypatch.setattr("search.running.aside.PATIENCE_S", 0.1)
    told: list[int] = []
    monkeypatch.setattr(driver.auto, "learn", lambda trial, point: told.append(trial))
    with choosing_aside(driver):
        driver.next()
        driver.look_ahead()
        assert gate.reached.wait(60)
        driver.add(0, [event("key")])
    driver.close()
    assert (told, len(driver.study.record.points)) == ([], 1)
    gate.opened.set()


def test_a_source_without_any_recipe_left_answers_at_once(driver: Driver) -> None:
    with choosing_aside(driver):
        (aside,) = [source for source in driver.sources if isinstance(source, Aside)]
        aside.source.left = 0
        assert aside.next({}) == Answer(None)
