import numpy as np
import pytest

from dashboards import importance
from search.study.record import Choice, StudyRecord, TrialRecord
from tests.dashboards.records import MAE, by, point, study, trial


def trials(count: int = 12) -> list[TrialRecord]:
    """`student` decides accuracy, `width` (six values) decides size, `coin` decides nothing."""
    made = []
    for i in range(count):
        choices: dict[str, Choice] = {"student": "ab"[i % 2], "width": 1 + i // 2, "coin": "xyz"[i // 2 % 3]}
        accuracy = 0.9 - 0.2 * (i % 2)
        made.append(trial(i + 1, point(i + 1, accuracy, 10 ** (1 + i // 4)), choices=choices | {"fixed": "one"}))
    return made


def shares(record: StudyRecord, target: str) -> dict[str, tuple[float, float]]:
    frame = importance.info(record)
    rows = frame[frame["target"] == target].to_dict("records")
    return {row["choice"]: (row["share"], row["chance"]) for row in rows}


def test_a_choice_that_decides_accuracy_explains_all_of_it() -> None:
    assert shares(study(*trials()), "quality")["student"][0] == pytest.approx(1)


def test_a_choice_that_decides_size_explains_size_and_no_accuracy() -> None:
    assert shares(study(*trials()), "size")["width"][0] == pytest.approx(1)
    assert shares(study(*trials()), "quality")["width"][0] == pytest.approx(0)


def test_a_choice_that_decides_nothing_stays_below_its_chance_mark() -> None:
    share, chance = shares(study(*trials()), "quality")["coin"]
    assert share < chance < 1


def test_a_choice_of_one_level_is_left_out() -> None:
    assert "fixed" not in shares(study(*trials()), "size")


def test_the_choice_that_matters_most_for_accuracy_comes_first() -> None:
    assert importance.info(study(*trials()))["choice"].iloc[0] == "student"


def test_the_same_study_gives_the_same_marks() -> None:
    assert importance.info(study(*trials())).equals(importance.info(study(*trials())))


def test_chance_deals_levels_to_trials_and_not_to_their_points() -> None:
    few = trials()
    many = [
        trial(
            t.id,
            *(point(t.id, t.points[0].measured.score_validation, 10, sparsity=s / 9) for s in range(9)),
            choices=t.choices,
        )
        for t in few
    ]
    assert shares(study(*many), "quality")["coin"] == pytest.approx(shares(study(*few), "quality")["coin"])


def test_what_was_not_asked_is_a_level_of_its_own() -> None:
    record = study(*trials(4), trial(9, point(9, 0.5, 10), choices={"student": "a"}))
    assert importance.points_and_levels(record)[1]["coin"].tolist() == ["x", "x", "y", "y", "none"]


def test_numbers_of_many_values_are_cut_into_thirds() -> None:
    record = study(*trials())
    assert importance.points_and_levels(record)[1]["width"].tolist() == ["1 to 2"] * 4 + ["3 to 4"] * 4 + ["5 to 6"] * 4


def test_the_teacher_which_chose_nothing_is_left_out() -> None:
    points, levels = importance.points_and_levels(study(trial(0, point(0, 0.99, 1000)), *trials(4)))
    assert 0 not in set(points["trial"]) | set(levels.index)


def test_eta_squared_is_the_share_between_groups() -> None:
    # Group means 1 and 4 around 2.5: between 4 * 1.5 ** 2 = 9, within 4 * 1 = 4.
    assert importance.eta_squared(np.array([0, 0, 1, 1]), np.array([0.0, 2, 3, 5])) == pytest.approx(9 / 13)


def test_values_that_do_not_vary_leave_nothing_to_explain() -> None:
    assert importance.eta_squared(np.array([0, 1]), np.array([0.1, 0.1])) == 0


def test_bars_below_chance_are_dimmed() -> None:
    frame = importance.info(study(*trials()))
    bars = importance.figure(frame).data[0]
    assert dict(zip(bars.y, bars.marker.opacity, strict=True)) == {"student": 1, "coin": 0.35, "width": 0.35}


def test_two_trials_are_too_few() -> None:
    drawing = importance.figure(importance.info(study(*trials(2))))
    assert drawing.layout.annotations[0].text.startswith("Three measured trials")


def test_the_figure_names_the_quality() -> None:
    frame = importance.info(by(MAE, study(*trials())))
    assert frame.equals(importance.info(study(*trials())))
    assert importance.figure(frame, MAE).layout.xaxis.title.text == "of mae"
