"""A study opened for a notebook: frames with the figures of the commands, and a figure of quality over cost."""

from __future__ import annotations

import pytest

from paretune.notebook import OpenedStudy
from tests.dashboards.records import MAE, by, point, study, trial

CURVE = (point(1, 0.85, 100), point(1, 0.84, 60, sparsity=0.4), point(1, 0.5, 20, sparsity=0.8))
FOUND = study(trial(0, point(0, 0.9, 1000)), trial(1, *CURVE, choices={"order": "prune"}))


def test_the_frames_have_a_row_a_model_and_the_front_its_best_first() -> None:
    opened = OpenedStudy(FOUND)
    assert list(opened.points.index) == [one.id for one in FOUND.points]
    assert list(opened.front["accuracy_validation"]) == sorted(opened.front["accuracy_validation"], reverse=True)
    assert list(opened.front["params"]) == [1000, 100, 60, 20]
    assert opened.trials.loc[1, "order"] == "prune"
    assert list(opened.breakpoints.index) == [(1, "float")]
    assert repr(opened) == "<study s: 2 trials, 4 points, 4 on the front>"


def test_an_error_is_in_its_own_unit_and_the_axis_reversed() -> None:
    opened = OpenedStudy(by(MAE, FOUND))
    assert "mae_validation" in opened.points
    drawing = opened.figure("flops")
    assert drawing.layout.yaxis.autorange == "reversed"
    assert list(drawing.data[1].y) == sorted(opened.front["mae_validation"], reverse=True)


def test_a_study_without_models_opens_too() -> None:
    opened = OpenedStudy(study())
    assert (len(opened.points), len(opened.front), len(opened.trials), len(opened.breakpoints)) == (0, 0, 0, 0)
    assert "0 trials" in opened._repr_html_()
    assert opened.figure().layout.annotations[0].text == "No model has been measured yet."


def test_an_unknown_cost_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^figure: unknown cost 'size', known are params, nonzero_params"):
        OpenedStudy(FOUND).figure("size")
