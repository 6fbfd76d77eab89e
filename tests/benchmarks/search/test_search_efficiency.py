"""What a search of ours is charged for, and searches without sharing and without curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.search.efficiency import course
from benchmarks.search.one_point import chain
from benchmarks.search.without import Alone, PointByPoint, PointJob, alone, keys, point_by_point
from compress.costs import predict
from compress.data.tasks import Task
from compress.measurement import Measurement
from compress.plan import plan
from compress.recipe import Recipe
from search.running.driver import Driver
from search.sampling.optuna_study import AUTO, OptunaStudy
from search.study.front import DEFAULT_OBJECTIVES
from search.study.record import point_event
from search.study.study import Study
from spaces.joint import JOINT

REFERENCE = {"accuracy": 0.0, "params": 100.0, "flops": 100.0, "macs": 50.0, "latency_ms": 1.0}


def measured(size: int, seconds: float) -> Measurement:
    return Measurement(0.5, 0.5, size, size, size, size, size, 1.0, 0.1, "cpu", 1, seconds)


def charged(home: Path, search: str, given: Set[str] = frozenset()) -> tuple[list[float], float]:
    """When the points came of two trials that begin alike, the second taken back a round of 3 s; and all seconds."""
    study = Study(home, search.replace(",", "").replace(" ", "-"))
    study.begin(task="digits", space="joint", seed=0, objectives=list(DEFAULT_OBJECTIVES), reference_point=REFERENCE)
    for trial, cut, size in ((0, "bb", 40), (1, "cc", 30)):
        assert study.ask({"seed": 0}, {}, trial) == trial
        study.add(trial, point_event("aa", 0.0, "float", measured(80, 10.0)))
        study.add(trial, point_event(cut, 0.5, "float", measured(size, 2.0)))
    study.end(0, "complete", "", 12.0, {"train": 1.5 if given else 11.5, "measure": 0.5})
    study.end(1, "complete", "", 5.0, {"train": 4.9, "cut": 0.1, "wait": 10.0})
    found = course(study, search, 0, given)
    assert (found.trials, found.points) == (2, 3)
    return [one.compute for one in found.came], found.compute


def test_a_shared_model_is_charged_once_and_what_was_taken_back_at_the_end(tmp_path: Path) -> None:
    assert charged(tmp_path, "ours") == ([10.0, 12.0, 14.0], 17.0)


def test_where_nothing_is_shared_each_pays_but_for_what_was_given(tmp_path: Path) -> None:
    assert charged(tmp_path / "a", "ours, nothing shared") == ([10.0, 12.0, 24.0], 24.0)
    assert charged(tmp_path / "b", "ours, nothing shared", {"aa"}) == ([0.0, 2.0, 4.0], 7.0)


def test_the_one_point_of_a_trial_comes_when_all_that_it_took_is_paid(tmp_path: Path) -> None:
    assert charged(tmp_path, "ours, a point a trial") == ([12.0, 12.0, 17.0], 17.0)


@pytest.fixture
def begun(tmp_path: Path, digits: Task) -> Callable[[Callable[..., Driver]], Driver]:
    """The driver of a new study of the joint space, taken up in that way."""

    def begin(way: Callable[..., Driver]) -> Driver:
        study = Study(tmp_path, way.__name__)
        whole = predict(JOINT.baseline("digits", 0), digits)[0].costs
        reference = {"params": whole.params, "macs": whole.macs, "flops": 2 * whole.macs}
        study.begin(
            task="digits", space="joint", seed=0, objectives=list(DEFAULT_OBJECTIVES),
            reference_point={**REFERENCE, **reference},
        )  # fmt: skip
        optuna_study = OptunaStudy(InMemoryStorage(), study.name, DEFAULT_OBJECTIVES, 0, AUTO)
        return way(study, optuna_study, JOINT, digits, 5)

    return begin


def test_a_recipe_that_stands_for_a_point_is_handed_out_expected_and_waited_for_as_that(
    begun: Callable[[Callable[..., Driver]], PointByPoint], digits: Task
) -> None:
    driver = begun(point_by_point)
    assert driver.auto is not None
    teacher = driver.next()
    assert isinstance(teacher, PointJob)
    assert json.loads(teacher.asked) is None
    for _ in range(3):
        job = driver.next()
        assert isinstance(job, PointJob)
        recipe, choices = Recipe.from_json(job.recipe), driver.study.trials[job.trial].choices
        steps = plan(recipe, digits.fingerprint)
        assert json.loads(job.as_json()["asked"]) == choices
        if all(step.sparsity is not None for step in steps):
            expected = chain(steps, choices)[-1]
            assert [step.key for step in driver.estimator.steps(recipe)] == [expected.key]
            assert [one.variant for one in driver.auto.cost_model.points(recipe)] == [expected.variant]
            assert not any(
                step.key in driver.in_progress for step in steps if _is_deeper(step.sparsity, expected.sparsity)
            )


def _is_deeper(one: float | None, other: float | None) -> bool:
    return (one or 0.0) > (other or 0.0)


def test_a_trial_alone_finds_the_teachers_in_a_store_of_its_own_and_waits_for_nobody(
    begun: Callable[[Callable[..., Driver]], Driver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "teachers" / "ab" / "abcd"
    model.mkdir(parents=True)
    (model / "record.json").write_text("{}")
    monkeypatch.setattr(Alone, "teachers", tmp_path / "teachers", raising=False)
    driver = begun(alone)
    first, second = driver.next(), driver.next()
    assert first is not None
    assert second is not None
    assert keys(Path(first.store)) == keys(Path(second.store)) == {"abcd"}
    assert first.store != second.store
    assert driver.auto is not None
    assert driver.auto.cost_model.known == {"abcd"}
