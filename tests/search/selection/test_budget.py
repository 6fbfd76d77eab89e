import math
from dataclasses import fields, replace

import pytest

from compress.figures import FIGURES
from compress.measurement import Measurement
from compress.quality import Quality
from search.selection.budget import Amount, Budget, figure, parse_amount
from search.study.record import Point
from tests.dashboards.records import F1, MAE, PSNR


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


@pytest.mark.parametrize("text", ["20x", "", "k", "%", "nan", "inf", "1e3", "2kM", "1,000", "10%k", "9" * 400, "٣"])
def test_anything_else_is_refused_and_names_the_option(text: str) -> None:
    with pytest.raises(ValueError, match="max-params: expected a number with k, M or G, or a share such as 10%, got"):
        parse_amount(text, "max-params")


@pytest.mark.parametrize("text", ["-5", "-10%", "-1.5G"])
def test_a_cost_below_0_is_refused_by_its_own_rule(text: str) -> None:
    with pytest.raises(ValueError, match=f"max-params must be above 0, got {text}$"):
        parse_amount(text, "max-params")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_amount_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="amount: expected a finite number, got"):
        Amount(value)


def test_a_quality_may_be_bounded_below_0() -> None:
    assert Budget(quality="-.5").bounds == {"quality": Amount(-0.5)}
    assert str(Budget(quality="-.5")) == "quality -0.5"
    with pytest.raises(ValueError, match=r"amount: expected a share of at least 0, got -0\.1"):
        Amount(-0.1, is_share=True)
    for wrong in ("-5%", "nan", "half"):
        with pytest.raises(ValueError, match=f"quality: expected a number, or a share of the teacher's .*{wrong}"):
            Budget(quality=wrong)
    with pytest.raises(ValueError, match=r"quality: accuracy: expected a number in \[0, 1\], or .*, got -0.5$"):
        Budget(quality="-.5").named(Quality())


def test_a_budget_is_parsed_by_field_and_leaves_out_what_is_not_given() -> None:
    budget = Budget.parse(max_params="20k", max_flops=None, min_accuracy="97%")
    assert budget.bounds == {"max_params": Amount(20_000), "min_accuracy": Amount(0.97, is_share=True)}


def test_a_wrong_amount_in_a_budget_names_its_option() -> None:
    with pytest.raises(ValueError, match="max-latency-ms: expected a number"):
        Budget.parse(max_latency_ms="fast")


def test_an_unknown_bound_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="budget: unknown bound 'max_beauty', known are max_params"):
        Budget.parse(max_beauty="3")


def test_an_upper_bound_of_nothing_is_refused_and_a_lower_one_is_none() -> None:
    with pytest.raises(ValueError, match="max-params must be above 0, got 0"):
        Budget(max_params=Amount(0))
    assert Budget.parse(min_accuracy="0").bounds == {"min_accuracy": Amount(0)}


@pytest.mark.parametrize(
    ("amount", "text"),
    [(Amount(12_345_678), "12345678"), (Amount(2e10), "20000000000"), (Amount(1e-5), "0.00001"), (Amount(0), "0")],
)
def test_an_amount_is_written_so_that_it_can_be_typed(amount: Amount, text: str) -> None:
    assert str(amount) == text
    assert parse_amount(text) == amount


def test_97_without_a_percent_sign_is_explained() -> None:
    with pytest.raises(ValueError, match=r"min-accuracy: expected .*got 97 \(did you mean 0.97, or 97% of the"):
        Budget.parse(min_accuracy="97")


def test_shares_are_of_the_teachers_figures() -> None:
    teacher = point(0.8, params=1000, macs=500)
    resolved = Budget.parse(max_params="10%", max_flops="50%", max_macs="7", min_accuracy="50%").resolve(teacher)
    assert resolved == Budget(
        max_params=Amount(100), max_flops=Amount(500), max_macs=Amount(7), min_accuracy=Amount(0.4)
    )


def test_the_bounds_are_those_of_the_table_of_figures() -> None:
    assert {field.name for field in fields(Budget)} == {one.bound for one in FIGURES if one.bound} | {"quality"}
    model = point(0.8, params=7, macs=5, size=3)
    for one in (one for one in FIGURES if one.bound):
        assert figure(model, one.bound) == one.value(model.measured)


def test_an_absolute_budget_needs_no_teacher() -> None:
    assert Budget(max_params=Amount(5)).resolve(None) == Budget(max_params=Amount(5))


def test_a_share_without_a_teacher_is_refused() -> None:
    with pytest.raises(
        ValueError, match="max-params: 10% is of the teacher, which is not measured yet: name an amount"
    ):
        Budget.parse(max_params="10%").resolve(None)


def test_an_accuracy_no_model_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^accuracy: 120% of the teacher's 0.9 is over 1"):
        Budget.parse(min_accuracy="120%").resolve(point(0.9))


@pytest.mark.parametrize(
    ("quality", "bound", "said"),
    [
        (F1, "97", r"quality: f1 is at most 1, got 97 \(did you mean 0\.97, or 97% of the unpruned teacher's\?\)"),
        (PSNR, "41", "quality: psnr is at most 40, got 41$"),
    ],
)
def test_a_quality_no_model_can_have_is_refused(quality: Quality, bound: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Budget.parse(quality=bound).named(quality)


def test_a_share_of_an_error_may_be_over_the_teachers() -> None:
    teacher = replace(point(0.9), quality=MAE)
    assert Budget.parse(quality="150%").named(MAE).resolve(teacher).bounds["quality"].value == pytest.approx(3.0)
    with pytest.raises(ValueError, match=r"^f1: 120% of the teacher's 0.9 is over 1"):
        Budget.parse(quality="120%").resolve(replace(point(0.9), quality=F1))


def test_a_share_of_a_quality_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^f1: 90% is of the teacher's -0.2, so give a number"):
        Budget.parse(quality="90%").resolve(replace(point(-0.2), quality=F1))
