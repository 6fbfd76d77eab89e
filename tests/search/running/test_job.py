"""The border between driver and worker: what goes out and comes back is the same after JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from compress.recipe import Recipe
from search.running.job import Job, StepResult


def test_a_job_comes_through_the_config_of_a_tune_trial(recipe: Callable[..., Recipe]) -> None:
    job = Job(3, recipe().as_json(), "store", "ab", "data", 2, 0.5, 60.0, ["here"], 1.5)
    config = json.loads(json.dumps(job.as_json()))
    assert Job.from_json({**config, "tune": "adds"}) == job
    assert type(config["recipe"]) is str, "Tune would look into a dict for values to search over"


def test_a_job_without_a_trial_is_refused() -> None:
    with pytest.raises(TypeError, match="trial"):
        Job.from_json({"recipe": "{}"})


ENDS: list[tuple[dict[str, Any], bool, str]] = [
    ({}, False, "running"),
    ({"failed": "", "worked_seconds": 2.0}, True, "complete"),
    ({"failed": "no memory", "worked_seconds": 2.0}, True, "failed"),
    ({"stuck": "disk full"}, True, "running"),
    ({"unfit": "no GPU"}, True, "running"),
]


@pytest.mark.parametrize(("end", "last", "status"), ENDS)
def test_a_step_result_comes_through_tune_with_how_the_trial_ended(
    end: dict[str, Any], last: bool, status: str
) -> None:
    result = replace(StepResult([{"id": "a"}], {"train": 1.5}, ["slow"]), **end)
    told = {**result.as_json(), "trial_id": "of Tune", "done": True}
    assert StepResult.from_json(told) == result
    assert result.done == result.as_json()["done"] == StepResult.is_last(told) == last
    assert result.status == status


def test_a_step_result_without_points_is_refused() -> None:
    with pytest.raises(KeyError, match="points"):
        StepResult.from_json({"done": False})
