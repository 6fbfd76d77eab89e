"""The worker's steps without Ray: points, how a trial ended, and a disk that refuses."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from compress.errors import DiskError
from compress.models import Model
from compress.recipe import Recipe
from compress.store import Store
from compress.tasks import Task
from search.desk import Desk
from search.evaluate import Compression
from search.sampler import Proposer, open_storage
from search.study import Study
from search.tuning import _Ear
from spaces import SPACES


@pytest.fixture
def worker(recipe: Callable[..., Recipe], tmp_path: Path) -> Compression:
    """About to carry out one epoch of training of a narrow CNN."""
    form = json.dumps(dict(recipe().as_json()))
    shared = {"store": str(tmp_path / "store"), "data": None, "threads": 1, "limit": None}
    return Compression({"trial": 0, "recipe": form, **shared})


def refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_last_step_says_how_the_trial_ended(worker: Compression) -> None:
    points = []
    while True:
        result = worker.step()
        points += json.loads(result["points"])
        if result["done"]:
            break
    assert result["failed"] == ""
    assert len(points) == 1


def test_the_limit_counts_what_workers_before_have_used(worker: Compression) -> None:
    limited = {**worker.config, "limit": 60.0}
    worker.config = limited
    worker.reset_config(limited)
    assert worker.step().get("failed", "") == ""
    worker.config = {**limited, "used": 61.0}
    worker.reset_config(worker.config)
    result = worker.step()
    assert result["done"]
    assert result["failed"] == "took longer than the trial-limit of 60 s"


def test_weights_that_a_node_does_not_see_fail_the_trial_with_a_sentence(
    recipe: Callable[..., Recipe], worker: Compression
) -> None:
    worker.config["recipe"] = json.dumps(dict(recipe(student=Model("cnn", weights="/nowhere/w.pt")).as_json()))
    result = worker.step()
    assert result["done"]
    assert result["failed"] == (
        "cnn: its weights /nowhere/w.pt must be readable, on every node that runs trials, got No such file or directory"
    )


def test_a_full_disk_is_not_the_trials_fault(worker: Compression, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "put", refuse)
    result = worker.step()
    assert result["done"]
    assert "failed" not in result
    assert "No space left on device" in result["stuck"]


def test_a_full_disk_ends_the_search_and_leaves_the_trial_to_be_resumed(study: Study, digits: Task) -> None:
    proposer = Proposer(open_storage(None, study.folder), "s", ("accuracy", "params"), 0)
    desk = Desk(study, proposer, SPACES["joint"], digits, trials=2, seed=0)
    desk.next()
    told: dict[str, Any] = {"points": "[]", "spent": "{}", "stuck": "store: cannot write x"}
    _Ear(desk).on_trial_result(1, [], SimpleNamespace(config={"trial": 0}), told)
    assert isinstance(desk.failure, DiskError)
    desk.close()
    assert study.unfinished == [0]
