"""How many trials Tune is given at once: as many as the nodes hold now, and some to wait where more nodes may come."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from compress.data.tasks import Task
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from search.beginning.begin_or_resume import take_up
from search.running import tune_loop
from search.running.failures import reason_gone
from search.running.job import Job
from search.running.tune_loop import WAITING, _Callback, _Searcher
from search.sampling.optuna_study import OptunaStudy
from search.settings import Settings
from search.study.study import Study
from spaces import Space
from spaces.space import Trial


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Recipes that share nothing."""
    width = float(trial.suggest_categorical("width", tuple(n / 8 for n in range(1, 41))))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=1)),), seed=seed)


@pytest.fixture
def source(study: Study, digits: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., _Searcher]:
    """What Tune asks, `source(places, **settings)`; on a cluster with as many places as the list's last number."""

    def make(places: list[int], **settings: Any) -> _Searcher:
        monkeypatch.setattr(tune_loop, "places", lambda _: places[-1])
        monkeypatch.setattr(tune_loop, "COUNT_SECONDS", 0.0)
        optuna_study = OptunaStudy(InMemoryStorage(), "s", ("accuracy", "params"), 0)
        driver = take_up(study, optuna_study, Space("small", build, Model("cnn"), "", ()), digits, trials=30)
        return _Searcher(driver, Settings("s", home=tmp_path, **settings))

    return make


NAMES = itertools.count()


def taken(source: _Searcher) -> list[str]:
    """The names of the trials that are handed out until there is no room."""
    names: list[str] = []
    while source.suggest(name := f"t{next(NAMES)}") is not None:
        names.append(name)
    return names


def test_no_more_trials_are_handed_out_than_there_are_places(source: Callable[..., _Searcher]) -> None:
    asked = source([3])
    first = taken(asked)
    assert len(first) == 3
    asked.on_trial_complete(first[1])
    assert len(taken(asked)) == 1


def test_the_places_are_those_of_now(source: Callable[..., _Searcher]) -> None:
    places = [2]
    asked = source(places)
    out = taken(asked)
    places.append(5)
    out += taken(asked)
    assert len(out) == 5
    places.append(1)
    for name in out[:4]:
        asked.on_trial_complete(name)
        assert taken(asked) == []
    asked.on_trial_complete(out[4])
    assert len(taken(asked)) == 1


def test_one_is_handed_out_where_there_is_no_place(source: Callable[..., _Searcher]) -> None:
    assert len(taken(source([0]))) == 1


def test_on_a_cluster_that_was_joined_some_wait_for_nodes_and_it_is_said_once(source: Callable[..., _Searcher]) -> None:
    places = [0]
    asked = source(places, address="auto", gpus_per_trial=0.25)
    assert len(taken(asked)) == 1 + WAITING
    places.append(4)
    assert len(taken(asked)) == 3
    assert asked.driver.notes == ["no node has room for a trial of 1 CPU and 0.25 GPU yet; trials wait for one"]


def test_the_next_worker_is_told_what_those_before_have_used(monkeypatch: pytest.MonkeyPatch) -> None:
    driver: Any = SimpleNamespace(notes=[], heard=lambda: None)
    ear, trial = _Callback(driver), SimpleNamespace(trial_id="t", config=Job(3, {}, "").as_json(), error_file=None)
    for begins, dies in ((100.0, 130.0), (1000.0, 1005.0)):  # between them it waited for a node
        monkeypatch.setattr(time, "monotonic", lambda now=begins: now)
        ear.on_trial_start(1, [], trial)
        monkeypatch.setattr(time, "monotonic", lambda now=dies: now)
        ear.on_trial_recover(1, [], trial)
    monkeypatch.setattr(time, "monotonic", lambda: 2000.0)
    ear.on_trial_recover(1, [], trial)  # its next node went before it began
    assert trial.config["used"] == 35.0
    assert driver.notes == ["trial 3: its worker died; another goes on from what is stored"] * 3


def test_a_trial_that_no_gpu_will_carry_out_has_failed_with_the_gpus_own_reason(tmp_path: Path) -> None:
    file = tmp_path / "error.txt"
    said = "a GPU of n1 failed: CUDA error: device-side assert triggered"
    file.write_text(
        f"Failure # 3 (occurred at 10:00)\n\x1b[36mray::Compression.train()\x1b[39m (actor_id=1)\nGpuLost: {said}\n"
    )
    assert reason_gone(str(file), 3) == f"{said}; so it did 3 times"
