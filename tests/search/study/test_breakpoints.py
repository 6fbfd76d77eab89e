import pytest

from compress.measurement import Measurement
from search.study.breakpoints import breakpoints, curves, knee, tolerance
from search.study.record import Point, StudyRecord, TrialRecord
from tests.dashboards.records import MAE, by

# METHODS.md, 6: VGG16 on CIFAR-10, L1, by NNI; the base is 92.98.
VGG16 = {0: 0.9298, 0.1: 0.9344, 0.3: 0.9341, 0.5: 0.9309, 0.6: 0.9229, 0.7: 0.9031}
VGG16 |= {0.8: 0.8756, 0.9: 0.8145, 0.95: 0.6983, 0.975: 0.5573}


def point(sparsity: float, accuracy: float, *, variant: str = "float", trial: int = 1) -> Point:
    measured = Measurement(accuracy, accuracy - 0.02, 10, 10, 10, 10, 10, 1.0, 1.0, "cpu", 1, 1.0)
    return Point(f"{trial}/{variant}/{sparsity}/{accuracy}", trial, {}, sparsity, variant, measured, "")


def curve(accuracies: dict[float, float]) -> list[Point]:
    return [point(sparsity, accuracy) for sparsity, accuracy in accuracies.items()]


def study(*trials: list[Point]) -> StudyRecord:
    records = tuple(
        TrialRecord(number, "complete", "", {}, {}, tuple(points), 1.0, {})
        for number, points in enumerate(trials, start=1)
    )
    return StudyRecord("s", "digits", "joint", ("accuracy", "params"), {}, records)


def test_the_published_vgg16_curve_has_its_tolerance_at_60_and_its_knee_at_80_percent() -> None:
    (found,) = breakpoints(study(curve(VGG16)))
    assert (found.tolerance, found.knee) == (0.6, 0.8)


def test_the_base_is_the_accuracy_at_the_lowest_sparsity() -> None:
    (found,) = breakpoints(study(curve({0.7: 0.8, 0.2: 0.9})))
    assert found.base_quality == 0.9


def test_a_point_exactly_delta_below_the_base_is_within_tolerance() -> None:
    assert tolerance(curve({0.0: 0.96, 0.5: 0.95}), 0.01).sparsity == 0.5


def test_a_sparser_point_that_recovers_counts_for_tolerance() -> None:
    assert tolerance(curve({0.0: 0.96, 0.5: 0.94, 0.7: 0.955, 0.9: 0.5})).sparsity == 0.7


def test_tolerance_is_the_base_where_every_other_point_falls_further() -> None:
    (found,) = breakpoints(study(curve({0.0: 0.96, 0.5: 0.94})))
    assert (found.tolerance, found.tolerance_quality) == (0.0, 0.96)


def test_a_larger_delta_tolerates_more() -> None:
    (found,) = breakpoints(study(curve(VGG16)), delta=0.06)
    assert (found.tolerance, found.delta) == (0.8, 0.06)


def test_the_test_accuracy_is_reported_of_the_points_that_validation_chose() -> None:
    (found,) = breakpoints(study(curve(VGG16)))
    assert found.tolerance_test == pytest.approx(VGG16[0.6] - 0.02)
    assert found.knee_test == pytest.approx(VGG16[0.8] - 0.02)


@pytest.mark.parametrize(
    "accuracies",
    [
        {0.0: 0.9, 0.9: 0.5},
        {0.0: 0.9, 0.5: 0.9, 0.9: 0.9},
        {0.0: 0.9, 0.5: 0.95, 0.9: 0.92},
        {0.0: 0.9, 0.45: 0.7, 0.9: 0.5},
        {0.0: 0.9, 0.45: 0.6, 0.9: 0.5},
    ],
    ids=["two points", "flat", "rising", "straight", "falling ever slower"],
)
def test_a_curve_without_a_bend_has_no_knee(accuracies: dict[float, float]) -> None:
    assert knee(curve(accuracies)) is None


def test_the_knee_does_not_depend_on_the_scale_of_accuracy() -> None:
    squeezed = {sparsity: 0.9 + accuracy / 100 for sparsity, accuracy in VGG16.items()}
    found = knee(curve(squeezed))
    assert found is not None
    assert found.sparsity == 0.8


def test_variants_of_a_trial_are_curves_of_their_own() -> None:
    both = [*curve({0.0: 0.9, 0.5: 0.9}), point(0.0, 0.8, variant="int8"), point(0.5, 0.7, variant="int8")]
    assert [(b.variant, b.tolerance) for b in breakpoints(study(both))] == [("float", 0.5), ("int8", 0.0)]


def test_a_single_point_is_no_curve() -> None:
    assert breakpoints(study(curve({0.0: 0.9}))) == []


def test_a_trial_keeps_the_points_it_shares_with_an_earlier_one() -> None:
    shared = point(0.0, 0.9)
    found = breakpoints(study([shared, point(0.5, 0.9)], [shared, point(0.7, 0.5)]))
    assert [(b.trial, b.base_quality) for b in found] == [(1, 0.9), (2, 0.9)]


def test_of_several_points_at_one_sparsity_the_most_accurate_stands_on_the_curve() -> None:
    found = curves(study([point(0.0, 0.9), point(0.5, 0.6), point(0.5, 0.8), point(0.5, 0.7)]))
    assert [p.measured.score_validation for p in found[1, "float"]] == [0.9, 0.8]


def test_json_names_both_readings() -> None:
    (found,) = breakpoints(study(curve(VGG16)))
    assert found.as_json().items() >= {"trial": 1, "tolerance": 0.6, "knee": 0.8, "knee_accuracy": 0.8756}.items()


@pytest.mark.parametrize("delta", [-0.01, 1.5, float("nan")])
def test_a_delta_outside_0_to_1_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match=r"breakpoints: delta must be in \[0, 1\], got"):
        breakpoints(study(), delta)


@pytest.mark.parametrize("delta", [-1.0, float("inf"), float("nan")])
def test_a_delta_of_an_error_is_in_its_unit_and_has_no_upper_end(delta: float) -> None:
    with pytest.raises(ValueError, match="breakpoints: delta must be finite and at least 0, got"):
        breakpoints(by(MAE, study()), delta)
    (found,) = breakpoints(by(MAE, study(curve(VGG16))), delta=1.2)
    assert (found.tolerance, found.delta) == (0.8, 1.2)
    assert found.base_quality == pytest.approx(20 * (1 - 0.9298))
