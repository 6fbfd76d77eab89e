import pytest

from dashboards import curves
from search.record import Point
from tests.dashboards.records import point, study, trial

FALL = {0.0: 0.9, 0.5: 0.895, 0.7: 0.88, 0.9: 0.5}


def fall(number: int = 1, variant: str = "float") -> list[Point]:
    return [point(number, accuracy, 10, sparsity=s, variant=variant) for s, accuracy in FALL.items()]


def test_a_curve_holds_both_accuracies_by_rising_sparsity() -> None:
    (curve,) = curves.info(study(trial(1, *reversed(fall()))))
    assert curve.sparsity == tuple(FALL)
    assert curve.validation == tuple(FALL.values())
    assert curve.test == pytest.approx([accuracy - 0.1 for accuracy in FALL.values()])


def test_every_variant_of_a_trial_is_a_line_in_the_colour_of_its_trial() -> None:
    found = curves.info(study(trial(1, *fall(), *fall(variant="int8"), choices={"order": "prune"})))
    assert [(curve.variant, curve.group) for curve in found] == [("float", "prune"), ("int8", "prune")]


def test_tolerance_and_knee_are_marked_with_different_symbols() -> None:
    drawing = curves.figure(curves.info(study(trial(1, *fall()))))
    tolerance, knee = drawing.data[-2:]
    assert (list(tolerance.x), list(knee.x)) == ([0.5], [0.7])
    assert tolerance.marker.symbol != knee.marker.symbol


def test_delta_moves_the_tolerance_and_its_legend() -> None:
    drawing = curves.figure(curves.info(study(trial(1, *fall())), delta=0.03))
    assert (list(drawing.data[-2].x), drawing.data[-2].name) == ([0.7], "tolerance: loses at most 3%")


def test_a_group_is_named_once_in_the_legend() -> None:
    trials = [trial(i, *fall(i), choices={"order": "prune"}) for i in (1, 2)]
    drawing = curves.figure(curves.info(study(*trials)))
    assert [line.showlegend for line in drawing.data[:2]] == [True, False]


def test_markup_in_a_variant_is_disarmed() -> None:
    drawing = curves.figure(curves.info(study(trial(1, *fall(variant="<b>")))))
    assert "&lt;b&gt;" in drawing.data[0].hovertext[0]


def test_a_study_of_single_points_says_there_is_no_curve() -> None:
    drawing = curves.figure(curves.info(study(trial(0, point(0, 0.9, 10)))))
    assert drawing.layout.annotations[0].text == "No trial has two points yet, so there is no curve."
