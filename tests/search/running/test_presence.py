"""A real search seen from outside: the work of its trials, a request to stop a trial, then the search."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import paretune
from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from search.beginning import launch
from search.running.activity import Stopped, Telling
from search.settings import Settings
from search.study.endings import BY_REQUEST, INTERRUPTED
from spaces import SPACES, Space
from spaces.space import Trial

LONG = 100_000


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """A first model in a second; the training after the cut would take an hour."""
    rate = float(trial.suggest_categorical("lr", tuple(n / 100 for n in range(1, 11))))
    cut = Prune(L1Filter(), 0.5, OneShot(1), Recovery(Training(epochs=LONG, lr=rate)))
    return Recipe(task, Model("cnn", 0.5), (Train(Training(epochs=2)), cut), seed=seed)


def outside(home: Path, heard: list[bool]) -> None:
    """Another process, as it were: stops trial 1 in its long training, then the search in that of a later trial."""
    for asked in (1, None):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            time.sleep(0.2)
            states = [row["state"] for row in paretune.studies(home=home)]
            running = paretune.status("s", home=home)["running"] if states == ["running"] else []
            if any(one["epochs"] == LONG and (one["trial"] == 1 or asked is None) for one in running):
                heard.append(paretune.stop("s", asked, home=home))
                break


def test_a_trial_and_then_a_search_is_stopped_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES, "long", Space("long", build, Model("cnn", 0.5), ""))
    heard: list[bool] = []
    aside = threading.Thread(target=outside, args=(tmp_path, heard), daemon=True)
    aside.start()
    record = launch.search(Settings("s", space="long", trials=9, home=tmp_path, time_budget_s=240))
    aside.join()
    assert heard == [True, True]
    ends = {trial.id: (trial.status, trial.reason) for trial in record.trials}
    assert ends[1] == ("stopped", BY_REQUEST)
    assert ("stopped", INTERRUPTED) in ends.values()
    assert len(ends) < 9
    told = paretune.status("s", home=tmp_path)
    assert (told["state"], told["driver"], told["running"]) == ("interrupted", None, [])
    assert [one["state"] for one in paretune.studies(home=tmp_path)] == ["interrupted"]
    with pytest.raises(ValueError, match="stop: s must be running, its state is interrupted"):
        paretune.stop("s", home=tmp_path)


def test_a_worker_that_was_asked_to_stop_does_so_at_its_next_batch() -> None:
    telling = Telling()
    telling.begin("", 3)
    telling("train cnn", 0.25, 10)
    telling("train cnn", 0.5, 10)
    told: Any = telling.doing()
    assert (told.trial, told.what, told.done, told.of) == (3, "train cnn", 0.5, 10)
    assert told.left_s is not None
    telling.is_stopped = True
    with pytest.raises(Stopped):
        telling("train cnn", 0.6, 10)
    telling.begin("", 4)
    assert telling.doing().what == ""
    telling("train cnn", 0.1, 10)
    assert (telling.doing().trial, telling.doing().what, telling.doing().done) == (4, "train cnn", 0.1)
