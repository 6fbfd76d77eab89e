"""Bounds of a search: what is over them, by how much, and which errors are of interest."""

from __future__ import annotations

import pytest

from compress.costs import PredictedPoint
from compress.measure import Costs
from search.sampling.bounds import Bounds
from search.selection.budget import Budget

WHOLE = {"params": 2000.0, "macs": 500.0, "flops": 1000.0, "size_bytes": 8000.0, "nonzero_params": 2000.0}


def point(params: int, macs: int = 10, size: int = 10) -> PredictedPoint:
    return PredictedPoint(0.5, "float", Costs(params, params // 2, macs), size)


def bounds(**texts: str) -> Bounds:
    return Bounds.of(Budget.parse(**texts), WHOLE)


def test_a_share_is_of_the_unpruned_teacher() -> None:
    assert bounds(max_params="10%", max_flops="2k").most == {"params": 200, "flops": 2000}


def test_one_point_within_all_bounds_is_enough() -> None:
    assert bounds(max_params="100", max_flops="20").over([point(900), point(100)]) == {}


def test_the_nearest_point_says_by_how_much_it_is_over() -> None:
    found = bounds(max_params="100", max_flops="10").over([point(400), point(150), point(100, macs=50)])
    assert found == {"params": pytest.approx(0.5), "flops": pytest.approx(1.0)}


@pytest.mark.parametrize("text", ["max_size_bytes", "max_nonzero_params", "max_macs"])
def test_every_foreseen_cost_can_be_bounded(text: str) -> None:
    assert set(bounds(**{text: "1"}).over([point(100, 100, 100)])) == {text.removeprefix("max_")}


def test_without_bounds_nothing_is_over() -> None:
    assert bounds().over([point(10**9)]) == {}
    assert bounds(max_params="1").over([]) == {}


def test_an_accuracy_is_absolute_or_a_share_of_the_teachers_once_that_is_known() -> None:
    assert bounds(min_accuracy=".9").worst(None) == pytest.approx(0.1)
    shared = bounds(min_accuracy="90%")
    assert shared.worst(None) == 1.0
    assert shared.worst(0.5) == pytest.approx(0.55)
