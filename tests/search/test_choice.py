"""What is chosen within a budget, and what is said of it."""

import math
from dataclasses import replace

import pytest

from compress.measurement import Measurement
from search.budget import Amount, Budget
from search.choice import choose
from search.preference import PREFERENCES
from search.record import Point


def point(
    accuracy: float = 0.9,
    params: int = 100,
    macs: int = 1000,
    *,
    size: int = 400,
    trial: int = 1,
    test: float = 0.5,
    ms: float = 1.0,
) -> Point:
    measured = Measurement(accuracy, test, params, params, macs, size, size, ms, ms, "cpu", 1, 1.0)
    return Point(f"{trial}", trial, {}, 0.6, "float", measured, "")


def test_choosing_by_an_open_share_is_refused() -> None:
    with pytest.raises(ValueError, match="max-params: 10% is a share, resolve the budget with the teacher first"):
        choose([point()], Budget.parse(max_params="10%"))


def test_the_most_accurate_point_within_the_bounds_is_best() -> None:
    points = [point(0.9, 100), point(0.95, 200), point(0.99, 300)]
    found = choose(points, Budget(max_params=Amount(200)))
    assert (found.best, found.runner_up) == (points[1], points[0])


def test_a_bound_includes_its_own_value_despite_rounding() -> None:
    budget = Budget.parse(max_params="29%").resolve(point(params=100))
    assert choose([point(params=29)], budget).best is not None


def test_test_accuracy_plays_no_part() -> None:
    points = [point(0.9, test=1.0), point(0.91, test=0.0)]
    assert choose(points, Budget(min_accuracy=Amount(0.5))).best == points[1]


@pytest.mark.parametrize("smaller", [point(params=99, macs=2000, size=900), point(macs=999, size=900), point(size=399)])
def test_ties_go_to_fewer_params_then_macs_then_bytes(smaller: Point) -> None:
    assert choose([point(), smaller], Budget()).best == smaller


def test_why_says_what_the_runner_up_has_less_of() -> None:
    points = [point(0.961, 1812, trial=2), point(0.953, 1000, trial=7)]
    assert choose(points, Budget()).why == "trial 7 at 60 %: .953 against .961 on validation, with 812 params fewer"


def test_why_shows_digits_enough_to_tell_the_two_apart() -> None:
    assert ".9001 against .9002 on" in choose([point(0.9001), point(0.9002)], Budget()).why


def test_why_of_a_tie_names_the_cost_that_decided() -> None:
    assert choose([point(), point(macs=999)], Budget()).why.endswith(".900 as well on validation, with 1 MACs more")


def test_why_is_empty_without_a_runner_up() -> None:
    assert choose([point()], Budget()).why == ""


def test_the_binding_bound_is_the_one_that_alone_keeps_a_better_point_out() -> None:
    points = [point(0.8, 10, 10), point(0.9, 50, 10), point(0.95, 50, 5000), point(0.7, 10, 9000)]
    budget = Budget(max_params=Amount(20), max_macs=Amount(100))
    assert choose(points, budget).binding == ("max_params",)


def test_bounds_that_only_bind_together_are_both_named() -> None:
    budget = Budget(max_params=Amount(20), max_macs=Amount(100))
    assert choose([point(0.8, 10, 10), point(0.9, 50, 500)], budget).binding == ("max_params", "max_macs")


def test_nothing_binds_where_the_best_of_all_fits() -> None:
    assert choose([point(0.9, 10), point(0.8, 500)], Budget(max_params=Amount(20))).binding == ()


def test_misses_come_nearest_first_with_how_much_they_are_over() -> None:
    points = [point(params=130), point(params=110), point(params=200), point(params=120)]
    found = choose(points, Budget(max_params=Amount(100)))
    assert found.best is None
    assert [miss.over["max_params"] for miss in found.misses] == pytest.approx([0.1, 0.2, 0.3])


def test_a_miss_of_accuracy_is_in_points_and_counts_relatively() -> None:
    (miss,) = choose([point(0.72, 150)], Budget(max_params=Amount(100), min_accuracy=Amount(0.9))).misses
    assert miss.over == pytest.approx({"max_params": 0.5, "min_accuracy": 0.18})
    assert miss.total == pytest.approx(0.5 + 0.2)


def test_a_miss_reads_as_a_sentence() -> None:
    (miss,) = choose([point(0.88, 150)], Budget(max_params=Amount(100), min_accuracy=Amount(0.9))).misses
    assert str(miss) == "trial 1 at 60 % misses max-params by 50 %, min-accuracy by 2 points"


def test_a_latency_that_is_not_a_number_fits_no_bound() -> None:
    unmeasured = replace(point(), measured=replace(point().measured, latency_ms=math.nan))
    (miss,) = choose([unmeasured], Budget(max_latency_ms=Amount(5))).misses
    assert miss.over == {"max_latency_ms": math.inf}


def test_json_holds_best_and_why() -> None:
    printed = choose([point(0.9, trial=4), point(0.8)], Budget(max_params=Amount(100))).as_json()
    best = printed["best"]
    assert isinstance(best, dict)
    assert (best["trial"], printed["fits"], printed["bounds"]) == (4, 2, {"max_params": 100.0})


def test_json_of_nothing_that_fits_holds_the_misses() -> None:
    printed = choose([point(params=200)], Budget(max_params=Amount(100))).as_json()
    assert printed["best"] is None
    assert [miss["over"] for miss in printed["misses"]] == [{"max_params": 1.0}]  # type: ignore[attr-defined]


CURVE = [point(0.5, 10, trial=1), point(0.9, 100, trial=2), point(0.95, 1000, trial=3), point(0.96, 10_000, trial=4)]


@pytest.mark.parametrize(
    ("prefer", "best"), [("accuracy", "4"), ("params", "1"), ("latency", "4"), ("knee", "2")], ids=PREFERENCES
)
def test_what_is_preferred_comes_first(prefer: str, best: str) -> None:
    found = choose(CURVE, Budget(), prefer=prefer)
    assert found.best is not None
    assert found.best.id == best
    assert len(found.fits) == 4
    assert found.more is None


def test_of_equal_latency_the_most_accurate_comes_first_and_the_unmeasured_last() -> None:
    points = [
        point(0.9, ms=2.0, trial=1),
        point(0.8, ms=1.0, trial=2),
        point(0.85, trial=3),
        point(ms=math.nan, trial=4),
    ]
    assert [one.id for one in choose(points, Budget(), prefer="latency").fits] == ["3", "2", "1", "4"]


@pytest.mark.parametrize("points", [CURVE[:1], CURVE[:2], [point(0.9, trial=1), point(0.8, trial=2)]])
def test_without_a_bend_the_knee_is_the_most_accurate(points: list[Point]) -> None:
    found = choose(points, Budget(), prefer="knee")
    assert found.best == max(points, key=lambda one: one.measured.accuracy_validation)


def test_what_a_larger_budget_would_buy_is_the_nearest_better_point() -> None:
    found = choose(CURVE, Budget(max_params=Amount(500)))
    assert found.binding == ("max_params",)
    assert found.more_buys == "max-params 100 % higher buys trial 3 at 60 %, 5 points more on validation"
    assert choose(CURVE, Budget(max_params=Amount(20_000))).more_buys == ""


def test_of_the_smallest_the_accuracy_binds() -> None:
    found = choose(CURVE, Budget(min_accuracy=Amount(0.93)), prefer="params")
    assert found.best == CURVE[2]
    assert found.binding == ("min_accuracy",)
    assert found.more_buys == "min-accuracy 3 points lower buys trial 2 at 60 %, 900 params fewer"


def test_of_the_fastest_the_accuracy_binds() -> None:
    points = [point(0.9, ms=1.5, trial=1), point(0.8, ms=1.0, trial=2)]
    found = choose(points, Budget(min_accuracy=Amount(0.85)), prefer="latency")
    assert found.more_buys == "min-accuracy 5 points lower buys trial 2 at 60 %, 0.5 ms less"


def test_an_unknown_preference_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="prefer: unknown 'beauty', known are accuracy, params, latency, knee"):
        choose(CURVE, Budget(), prefer="beauty")
