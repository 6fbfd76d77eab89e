import math
from dataclasses import replace

import pytest

from compress.measurement import Measurement
from search.budget import Amount, Budget, choose, parse_amount
from search.record import Point


def point(
    accuracy: float = 0.9, params: int = 100, macs: int = 1000, *, size: int = 400, trial: int = 1, test: float = 0.5
) -> Point:
    measured = Measurement(accuracy, test, params, params, macs, size, size, 1.0, 1.0, "cpu", 1, 1.0)
    return Point(f"{trial}", trial, {}, 0.6, "float", measured, "")


@pytest.mark.parametrize(
    ("text", "value"),
    [("20k", 20_000), ("2M", 2_000_000), ("1.5G", 1.5e9), ("812", 812), (".97", 0.97), ("0", 0), (" 3 k ", 3000)],
)
def test_an_amount_reads_its_suffix(text: str, value: float) -> None:
    assert parse_amount(text) == Amount(value)


def test_a_percentage_is_a_share() -> None:
    assert parse_amount("10%") == Amount(0.1, is_share=True)


@pytest.mark.parametrize(
    "text", ["20x", "", "k", "%", "nan", "inf", "-5", "-10%", "1e3", "2kM", "1,000", "10%k", "9" * 400, "٣"]
)
def test_anything_else_is_refused_and_names_the_option(text: str) -> None:
    with pytest.raises(ValueError, match="max-params: expected a number with k, M or G, or a share such as 10%, got"):
        parse_amount(text, "max-params")


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_an_amount_is_finite_and_not_negative(value: float) -> None:
    with pytest.raises(ValueError, match="amount: expected a finite number of at least 0, got"):
        Amount(value)


def test_a_budget_is_parsed_by_field_and_leaves_out_what_is_not_given() -> None:
    budget = Budget.parse(max_params="20k", max_flops=None, min_accuracy="97%")
    assert budget.bounds == {"max_params": Amount(20_000), "min_accuracy": Amount(0.97, is_share=True)}


def test_a_wrong_amount_in_a_budget_names_its_option() -> None:
    with pytest.raises(ValueError, match="max-latency-ms: expected a number"):
        Budget.parse(max_latency_ms="fast")


def test_an_unknown_bound_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="budget: unknown bound 'max_beauty', known are max_params"):
        Budget.parse(max_beauty="3")


def test_97_without_a_percent_sign_is_explained() -> None:
    with pytest.raises(ValueError, match=r"min-accuracy: expected a number in \[0, 1\].*got 97 \(did you mean 97%\?\)"):
        Budget.parse(min_accuracy="97")


def test_shares_are_of_the_teachers_figures() -> None:
    teacher = point(0.8, params=1000, macs=500)
    resolved = Budget.parse(max_params="10%", max_flops="50%", max_macs="7", min_accuracy="50%").resolve(teacher)
    assert resolved == Budget(
        max_params=Amount(100), max_flops=Amount(500), max_macs=Amount(7), min_accuracy=Amount(0.4)
    )


def test_an_absolute_budget_needs_no_teacher() -> None:
    assert Budget(max_params=Amount(5)).resolve(None) == Budget(max_params=Amount(5))


def test_a_share_without_a_teacher_is_refused() -> None:
    with pytest.raises(ValueError, match="max-params: 10% is of the teacher, and none is measured yet"):
        Budget.parse(max_params="10%").resolve(None)


def test_an_accuracy_no_model_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"min-accuracy: 120% of the teacher's 0.9 is over 1"):
        Budget.parse(min_accuracy="120%").resolve(point(0.9))


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
