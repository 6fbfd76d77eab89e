import math

import pytest

from dashboards import levels
from search.study.record import TrialRecord
from tests.dashboards.records import MAE, by, point, study, trial


def trials(gaps: tuple[float, ...] = (0.02,) * 4) -> list[TrialRecord]:
    """At each of four sizes `kd` is a gap of 2 points over `no`; size itself is worth far more."""
    return [
        trial(
            2 * size + kd,
            point(2 * size + kd, 0.5 + 0.1 * size + gap * kd, 10**size),
            choices={"distiller": ("no", "kd")[kd], "size": f"s{size}"},
        )
        for size, gap in enumerate(gaps, start=1)
        for kd in (0, 1)
    ]


def test_a_level_is_compared_with_models_of_its_size() -> None:
    frame = levels.info(study(*trials())).set_index(["choice", "level"])["difference"]
    assert (frame["distiller", "kd"], frame["distiller", "no"]) == pytest.approx((0.01, -0.01))


def test_a_level_that_only_makes_small_models_is_not_blamed_for_it() -> None:
    frame = levels.info(study(*trials())).set_index(["choice", "level"])["difference"]
    assert frame["size", "s1"] == pytest.approx(0)


def test_levels_come_by_falling_difference_within_their_choice() -> None:
    frame = levels.info(study(*trials()))
    assert frame["level"].tolist()[:2] == ["kd", "no"]


def test_a_trial_counts_once_however_many_points_it_has() -> None:
    frame = levels.info(study(*trials())).set_index(["choice", "level"])
    assert frame["trials"]["distiller", "kd"] == 4


def test_the_error_is_the_standard_error_over_trials() -> None:
    frame = levels.info(study(*trials(gaps=(0.02, 0.06, 0.02, 0.06)))).set_index(["choice", "level"])
    # Gains of .01, .03, .01 and .03: their standard deviation is .02 / sqrt(3), over sqrt(4) trials.
    assert frame["error"]["distiller", "kd"] == pytest.approx(0.01 / math.sqrt(3))


def test_a_level_tried_once_has_no_error() -> None:
    record = study(*trials(), trial(99, point(99, 0.5, 10), choices={"distiller": "fitnets", "size": "s1"}))
    frame = levels.info(record).set_index(["choice", "level"])
    assert math.isnan(frame["error"]["distiller", "fitnets"])


def test_names_are_disarmed_and_cut_to_what_a_phone_can_show() -> None:
    long = "<b>" + "x" * 40
    record = study(*(trial(i, point(i, 0.9, 10), choices={"order": long if i else "y"}) for i in range(4)))
    labels = levels.figure(levels.info(record)).layout.yaxis.ticktext
    assert "&lt;b&gt;" + "x" * 22 + "\u2026" in labels


def test_the_figure_draws_points_of_accuracy() -> None:
    drawing = levels.figure(levels.info(study(*trials())))
    assert list(drawing.data[0].x) == pytest.approx([1, -1])


def test_an_empty_study_says_what_is_needed() -> None:
    drawing = levels.figure(levels.info(study()))
    assert drawing.layout.annotations[0].text.startswith("Three measured trials")


def test_of_an_error_a_difference_is_in_its_unit_and_the_lower_level_comes_first_at_the_right() -> None:
    frame = levels.info(by(MAE, study(*trials())))
    rows = frame[frame["choice"] == "distiller"]
    assert list(zip(rows["level"], rows["difference"], strict=True)) == [
        ("kd", pytest.approx(-0.2)),
        ("no", pytest.approx(0.2)),
    ]
    assert (frame["error"].dropna() >= 0).all()
    drawing = levels.figure(frame, MAE)
    assert (drawing.layout.xaxis.title.text, drawing.layout.xaxis.autorange) == (
        "difference of mae in degrees",
        "reversed",
    )
    assert drawing.data[0].hovertext[0].endswith("-0.2 degrees over 4 trials")
