"""The pose page as typed: two angles taught by a larger network, an error in degrees, a bound on it."""

from __future__ import annotations

import json

import pytest

from tests.examples.conftest import Typed, commands

SEARCH, SELECT, *_ = commands("pose")


@pytest.fixture(scope="module")
def searched(typed: Typed) -> Typed:
    typed(SEARCH, "--trials 2 --epochs 2 --recovery-epochs 1 --only int8=false")
    return typed


def test_a_student_is_taught_and_measured_in_degrees(searched: Typed) -> None:
    front = json.loads(searched(".venv/bin/paretune front pose --json"))
    assert front["objectives"] == ["mae", "params", "flops"]
    assert (front["quality"]["unit"], front["quality"]["one"]) == ("degrees", 0.0)
    errors = [point["mae"]["validation"] for point in front["points"]]
    assert errors == sorted(errors)
    assert 0 < errors[0] < 35, "better than the constant answer's 30 degrees, or nearly"
    _, taught = json.loads(searched(".venv/bin/paretune trials pose --json"))
    assert taught["recipe"]["stages"][0]["type"] == "distill"
    assert {"mae-long_test", "mae-short_test"} <= set(taught["points"][0]["metrics"])


def test_the_smallest_model_within_an_error_is_exported(searched: Typed) -> None:
    found = json.loads(searched(SELECT, "--quality 60 --json"))
    assert found["best"]["mae"]["validation"] <= 60
    assert found["export"]["mae"] == found["best"]["mae"]
