"""The driver hands out recipes and writes down what comes back: ledger first, then Optuna. No Ray here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from compress.costs import check
from compress.data.tasks import Task
from compress.lowrank import SVD
from compress.models import Model
from compress.plan import plan
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Factorize, Prune, Recovery, Train
from compress.training.settings import Training
from search.beginning.begin_or_resume import take_up
from search.running.driver import Driver
from search.running.notes import Notes
from search.running.stop_heard import noticing
from search.sampling.optuna_study import OptunaStudy
from search.study.endings import BY_REQUEST, INTERRUPTED
from search.study.study import Study
from spaces import SPACES, Space
from spaces.space import Trial

Event = Callable[..., dict[str, Any]]
ONCE = Training(epochs=1)


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Eleven recipes; the last of them is impossible: so few weights make no pair of factors."""
    width = trial.suggest_categorical("width", tuple(range(11)))
    if width == 10:
        return Recipe(task, Model("cnn", 0.125), (Train(ONCE), Factorize(SVD(), 0.9999, OneShot(1))), seed=seed)
    return Recipe(task, Model("cnn", (1 + width) / 8), (Train(ONCE),), seed=seed)


BEGINNINGS = ({"width": 2}, {"width": 3})
SPACE = Space("small", build, Model("cnn"), "", BEGINNINGS)


class Noted(OptunaStudy):
    """Says what it was told, and which events the ledger had by then."""

    def __init__(self, study: Study) -> None:
        super().__init__(InMemoryStorage(), "s", ("accuracy", "params"), 0)
        self.ledger, self.heard = study.ledger, list[str]()

    def tell_point(self, number: int, point: Any) -> None:
        self.heard.append(f"point after {[e['event'] for e in self.ledger.events()][-1]}")
        super().tell_point(number, point)

    def tell_end(self, number: int, points: Any) -> None:
        self.heard.append(f"end after {[e['event'] for e in self.ledger.events()][-1]}")
        super().tell_end(number, points)


class Stuck(RandomSampler):
    """Has found its favourite."""

    def sample_independent(self, *_: Any) -> int:
        return 2


@pytest.fixture
def driver(study: Study, digits: Task) -> Driver:
    return take_up(study, Noted(study), SPACE, digits, trials=4)


def carry_out(driver: Driver, event: Event) -> list[int]:
    """Every trial that the driver hands out, each giving one point; their numbers."""
    done = []
    while (job := driver.next()) is not None:
        done.append(job.trial)
        driver.add(job.trial, [event(f"key{job.trial}")])
        driver.end(job.trial, "complete", "", 1.0, {})
    return done


def enqueue(driver: Driver, *widths: int) -> None:
    driver.optuna_study.begin([{"width": width} for width in widths])


def test_the_plain_teacher_comes_first(driver: Driver) -> None:
    job = driver.next()
    assert job is not None
    assert Recipe.from_json(job.recipe) == SPACE.baseline("digits", 0)
    assert (job.trial, driver.study.trials[0].optuna) == (0, None)


def test_the_beginnings_follow(driver: Driver) -> None:
    for _ in range(3):
        driver.next()
    assert [dict(driver.study.trials[n].choices) for n in (1, 2)] == list(BEGINNINGS)


def test_a_model_that_a_worker_made_again_is_said_and_has_its_figures_of_now(driver: Driver, event: Event) -> None:
    for accuracy in (0.5, 0.5, 0.625):
        job = driver.next()
        assert job is not None
        driver.add(job.trial, [event("key", score_validation=accuracy)])
    assert driver.study.record.points[0].measured.score_validation == 0.625
    assert driver.notes == [
        "the model of point key was made again and is another one now: the study has its figures of now"
    ]


def family(trial: Trial, task: str, seed: int) -> Recipe:
    """Width 1 is the plain teacher, pruned; others have nothing to do with it."""
    width = trial.suggest_categorical("width", (1, 2, 3))
    return Recipe(
        task, Model("cnn", width), (Train(ONCE), Prune(L1Filter(), 0.5, OneShot(1), Recovery(ONCE))), seed=seed
    )


class Plain(Space):
    """Its teacher is trained for one epoch."""

    def baseline(self, task: str, seed: int) -> Recipe:
        return Recipe(task, self.teacher, (Train(ONCE),), seed=seed)


def test_a_trial_that_would_wait_for_a_model_in_the_making_stands_back(
    study: Study, digits: Task, event: Event
) -> None:
    space = Plain("family", family, Model("cnn"), "", ({"width": 1}, {"width": 2}, {"width": 3}))
    driver = take_up(study, Noted(study), space, digits, trials=4)

    def handed() -> int:
        job = driver.next()
        assert job is not None
        return int(job.trial)

    assert [handed(), handed()] == [0, 2]
    driver.add(0, [event(plan(space.baseline("digits", 0), digits.fingerprint)[0].key)])
    assert [handed(), handed()] == [1, 3]
    assert driver.next() is None


def test_a_network_that_a_cut_upsets_is_said_and_not_tried(
    study: Study, digits: Task, source: Callable[[str, str], None]
) -> None:
    source(
        "upset.py",
        """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, channels):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(channels, 8, 3), nn.Linear(8, classes)

    def forward(self, images):
        maps = self.conv(images)
        assert maps.shape[1] == 8, "eight it must be"
        return self.fc(maps.mean((2, 3)))
""",
    )

    def build(trial: Trial, task: str, seed: int) -> Recipe:
        cut = Prune(L1Filter(), 0.5, OneShot(1), Recovery(ONCE))
        stages = (Train(ONCE), cut) if trial.suggest_categorical("cut", (True, False)) else (Train(ONCE),)
        return Recipe(task, Model("upset:Net"), stages, seed=1)

    space = Plain("upset", build, Model("cnn"), "", ({"cut": True}, {"cut": False}))
    study.header["networks"] = {"upset:Net": {}}
    driver = take_up(study, Noted(study), space, digits, trials=2)
    jobs = [driver.next(), driver.next()]
    assert [job and job.trial for job in jobs] == [0, 1]
    assert dict(driver.study.trials[1].choices) == {"cut": False}
    (note,) = driver.notes
    assert note.startswith("a recipe was not tried: channel pruning: ")
    why = r"the network does not run any more \(AssertionError: eight it must be \(upset\.py line \d+\)\)"
    assert re.search(f"once conv is cut, {why}", note)


def test_a_network_that_no_option_and_no_first_draw_named_is_said_and_not_tried(study: Study, digits: Task) -> None:
    def build(trial: Trial, task: str, seed: int) -> Recipe:
        family = trial.suggest_categorical("family", ("late:Net", "cnn"))
        return Recipe(task, Model(family), (Train(ONCE),), seed=1)

    space = Plain("late", build, Model("cnn"), "", ({"family": "late:Net"}, {"family": "cnn"}))
    driver = take_up(study, Noted(study), space, digits, trials=2)
    assert [job and job.trial for job in (driver.next(), driver.next())] == [0, 1]
    assert driver.notes == [
        "a recipe was not tried: the study must have been begun with the student 'late:Net', whose code would run"
    ]


def rates(trial: Trial, task: str, seed: int) -> Recipe:
    """Two cuts at two learning rates each; the deeper cut is impossible."""
    depth, lr = (trial.suggest_categorical(name, values) for name, values in (("depth", (0.5, 0.9999)), ("lr", (1, 2))))
    recovery = Recovery(Training(epochs=1, lr=lr))
    return Recipe(task, Model("cnn", 0.25), (Train(ONCE), Prune(L1Filter(), depth, OneShot(1), recovery)), seed=seed)


def test_recipes_that_differ_in_training_alone_are_checked_once_and_refused_each(
    study: Study, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []

    def counted(recipe: Recipe, task: Task) -> None:
        checked.append(recipe)
        check(recipe, task)

    monkeypatch.setattr("search.sampling.feasibility.check", counted)
    beginnings = tuple({"depth": depth, "lr": lr} for depth in (0.5, 0.9999) for lr in (1, 2))
    driver = take_up(study, Noted(study), Space("rates", rates, Model("cnn"), "", beginnings), digits, trials=9)
    while driver.next() is not None:
        pass
    assert [dict(study.trials[n].choices) for n in (1, 2)] == list(beginnings[:2])
    assert len(study.trials) == 3
    assert ["was not tried" in note for note in driver.notes] == [True, True, False]
    assert driver.notes[2] == "the search ends: 50 asks in a row gave no new recipe"
    assert len(checked) == 3


def test_with_nothing_else_to_do_a_trial_is_sent_to_wait(study: Study, digits: Task) -> None:
    space = Plain("family", family, Model("cnn"), "", ({"width": 1},))
    driver = take_up(study, Noted(study), space, digits, trials=2)
    jobs = [driver.next() for _ in range(3)]
    assert [job and job.trial for job in jobs] == [0, 1, None]


def test_one_trial_is_at_hand_before_it_is_asked_for_and_none_too_many(driver: Driver, event: Event) -> None:
    driver.look_ahead()
    assert len(driver.study.trials) == 1, "nothing runs yet, so nobody would be kept waiting"
    driver.next()
    for _ in range(3):
        driver.look_ahead()
    assert [list(driver.queue), len(driver.study.trials)] == [[1], 2]
    assert carry_out(driver, event) == [1, 2, 3]
    driver.look_ahead()
    assert (list(driver.queue), len(driver.study.trials)) == ([], 4)


def test_no_more_trials_are_handed_out_than_wanted(driver: Driver, event: Event) -> None:
    assert carry_out(driver, event) == [0, 1, 2, 3]
    assert driver.next() is None


def test_no_recipe_is_handed_out_twice(study: Study, digits: Task, event: Event) -> None:
    driver = take_up(study, Noted(study), SPACE, digits, trials=9)
    carry_out(driver, event)
    recipes = [json.dumps(dict(trial.recipe)) for trial in study.trials.values()]
    assert len(set(recipes)) == len(recipes) == 9


def test_a_space_of_few_recipes_is_exhausted_and_the_search_ends(study: Study, digits: Task, event: Event) -> None:
    driver = take_up(study, Noted(study), SPACE, digits, trials=99)
    carry_out(driver, event)
    assert driver.notes[-1].startswith("the search ends: ")
    assert len(study.trials) == 11, "the teacher and the ten that are possible"


def test_a_sampler_that_repeats_itself_does_not_end_the_search(study: Study, digits: Task, event: Event) -> None:
    driver = take_up(study, Noted(study), SPACE, digits, trials=9)
    driver.optuna_study._own = Stuck()
    carry_out(driver, event)
    assert len(study.trials) == 9
    assert driver.notes == []


def test_a_repeat_is_told_what_the_first_one_gave(driver: Driver, event: Event) -> None:
    enqueue(driver, 2)
    carry_out(driver, event)
    first, repeat = (
        driver.optuna_study.study.trials[0],
        [t for t in driver.optuna_study.study.trials if not t.user_attrs][2],
    )
    assert repeat.params == first.params
    assert (repeat.state, repeat.values) == (TrialState.COMPLETE, first.values)


def test_a_repeat_of_what_still_runs_is_forgotten(driver: Driver) -> None:
    enqueue(driver, 2)
    for _ in range(4):
        driver.next()
    assert [t.state for t in driver.optuna_study.study.trials][:3] == [
        TrialState.RUNNING,
        TrialState.RUNNING,
        TrialState.FAIL,
    ]


def test_an_impossible_recipe_is_said_and_another_one_asked_for(driver: Driver, event: Event) -> None:
    enqueue(driver, 10, 10, 4)
    assert carry_out(driver, event) == [0, 1, 2, 3]
    assert driver.study.trials[3].choices == {"width": 4}
    (note,) = driver.notes
    assert note.startswith("a recipe was not tried: svd: ")
    refused = [t.state for t in driver.optuna_study.study.trials if t.params == {"width": 10}]
    assert refused == [TrialState.FAIL, TrialState.FAIL]


def test_the_ledger_has_it_before_optuna(driver: Driver, event: Event) -> None:
    driver.next()
    driver.next()
    driver.add(1, [event("key1")])
    driver.end(1, "complete", "", 1.0, {})
    assert isinstance(driver.optuna_study, Noted)
    assert driver.optuna_study.heard == ["point after point", "end after ended"]


def test_the_teacher_is_none_of_optunas(driver: Driver, event: Event) -> None:
    driver.next()
    driver.add(0, [event("key0")])
    driver.end(0, "complete", "", 1.0, {})
    assert isinstance(driver.optuna_study, Noted)
    assert driver.optuna_study.heard == []


def test_a_point_that_comes_twice_is_told_once(driver: Driver, event: Event) -> None:
    driver.next()
    driver.next()
    for _ in range(2):
        driver.add(1, [event("key1")])
    assert isinstance(driver.optuna_study, Noted)
    assert driver.optuna_study.heard == ["point after point"]


def test_a_failed_trial_with_points_is_failed_for_optuna_but_keeps_them(driver: Driver, event: Event) -> None:
    driver.next()
    driver.next()
    driver.add(1, [event("key1")])
    driver.end(1, "failed", "the loss became nan", 1.0, {})
    assert driver.optuna_study.study.trials[0].state == TrialState.FAIL
    assert [point.id for point in driver.study.record.trials[1].points] == ["key1"]


def test_a_trial_that_has_ended_stays_as_it_is(driver: Driver) -> None:
    driver.next()
    driver.end(0, "complete", "", 1.0, {})
    driver.end(0, "failed", "the worker died", 2.0, {})
    assert driver.study.record.trials[0].status == "complete"


def test_closing_marks_what_runs_as_interrupted(driver: Driver) -> None:
    driver.next()
    driver.next()
    driver.end(0, "complete", "", 1.0, {})
    driver.close()
    assert [(t.status, t.reason) for t in driver.study.record.trials] == [("complete", ""), ("stopped", INTERRUPTED)]
    assert driver.optuna_study.study.trials[0].state == TrialState.RUNNING


def test_the_next_desk_takes_up_what_was_interrupted_first(driver: Driver, digits: Task, tmp_path: Path) -> None:
    for _ in range(3):
        driver.next()
    driver.end(1, "complete", "", 1.0, {})
    driver.close()
    study = Study(tmp_path, "s")
    resumed = take_up(study, driver.optuna_study, SPACE, digits, trials=4)
    jobs = [resumed.next() for _ in range(4)]
    assert [job.trial for job in jobs if job] == [0, 2, 3]


def test_a_trial_stopped_by_request_keeps_its_points_and_is_not_resumed(driver: Driver, event: Event) -> None:
    for _ in range(2):
        driver.next()
    driver.look_ahead()
    driver.add(1, [event("key")])
    driver.requests.extend((1, 1, 2, 77))
    assert driver.obey() == [1, 2], "trial 2 waits in the queue"
    assert driver.obey() == []
    assert Notes().hear(driver.notes) == ["trial 1 stopped by request", "trial 2 stopped by request"]
    states = [driver.study.trials[n] for n in (1, 2)]
    assert [(s.status, s.reason, len(s.points)) for s in states] == [
        ("stopped", BY_REQUEST, 1),
        ("stopped", BY_REQUEST, 0),
    ]
    assert list(driver.at_work) == [0]
    assert driver.study.unfinished == [0]
    job = driver.next()
    assert job is not None
    assert job.trial == 3


def test_a_search_stopped_by_request_hands_out_nothing_more_and_goes_on_when_resumed(driver: Driver) -> None:
    driver.next()
    driver.requests.append(None)
    with noticing() as stop:
        assert driver.obey() == [0]
    assert stop.is_heard
    assert driver.next() is None
    driver.close()
    assert driver.study.trials[0].reason == INTERRUPTED
    assert driver.study.unfinished == [0]


def test_everything_that_changes_is_heard(driver: Driver, event: Event) -> None:
    heard: list[int] = []
    driver.heard = lambda: heard.append(len(driver.study.record.points))
    driver.next()
    driver.add(0, [event("key0")])
    driver.end(0, "complete", "", 1.0, {})
    assert heard == [0, 1, 1]


def test_the_first_failure_of_the_driver_is_kept(driver: Driver) -> None:
    def fail(error: Exception) -> None:
        raise error

    driver.guard(lambda: None)
    assert driver.failure is None
    first = OSError("disk full")
    for error in (first, ValueError("later")):
        driver.guard(lambda error=error: fail(error))  # type: ignore[misc]
    assert driver.failure is first


def test_points_of_two_devices_are_told_apart_once_where_latency_is_an_objective(
    tmp_path: Path, digits: Task, event: Callable[..., dict[str, Any]]
) -> None:
    said = {}
    for name, objectives in (("timed", ("accuracy", "latency_ms")), ("sized", ("accuracy", "params"))):
        study = Study(tmp_path, name)
        study.begin(task="digits", space="joint", objectives=list(objectives), seed=0, reference_point={})
        driver = take_up(study, OptunaStudy(InMemoryStorage(), name, objectives, 0), SPACES["joint"], digits, trials=1)
        driver.next()
        for number, device in enumerate(("cpu", "NVIDIA A10G", "cpu", "NVIDIA A10G", "NVIDIA H200")):
            driver.add(0, [event(f"ab{number}", number / 10, device=device)])
        said[name] = [note for note in driver.notes if "latencies" in note]
        driver.close()
    assert said["sized"] == []
    assert len(said["timed"]) == 1
    assert "cpu (1 thread)" in said["timed"][0]
    assert "NVIDIA A10G (1 thread)" in said["timed"][0]
    assert said["timed"][0].endswith(
        ", and only those of cpu decide what is tried next; give the search nodes of one kind, or --objectives without "
        "latency_ms"
    )
