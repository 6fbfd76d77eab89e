import math

import pytest

from dashboards.frame import level, points_frame, summary, trials_frame
from search.record import Choice
from tests.dashboards.records import point, study, trial

TEACHER = trial(0, point(0, 0.99, 1000))


def test_a_point_is_one_row_with_its_figures() -> None:
    (row,) = points_frame(study(TEACHER)).to_dict("records")
    figures = (row["accuracy_validation"], row["params"], row["macs"], row["flops"], row["size_bytes"])
    assert figures == (0.99, 1000, 10_000, 20_000, 4000)


def test_a_point_two_trials_share_is_one_row_of_the_first() -> None:
    shared = point(1, 0.9, 100)
    assert points_frame(study(trial(1, shared), trial(2, shared)))["trial"].tolist() == [1]


def test_choices_have_columns_of_their_own_beside_the_sparsity_reached() -> None:
    frame = points_frame(study(trial(1, point(1, 0.9, 100, sparsity=0.5), choices={"sparsity": 0.9})))
    assert (frame["sparsity"].item(), frame["choice.sparsity"].item()) == (0.5, 0.9)


def test_a_choice_a_trial_was_not_asked_is_missing() -> None:
    frame = points_frame(study(TEACHER, trial(1, point(1, 0.9, 100), choices={"lr": 0.1})))
    assert frame["choice.lr"].isna().tolist() == [True, False]


def test_the_front_is_of_the_studys_objectives() -> None:
    frame = points_frame(study(TEACHER, trial(1, point(1, 0.9, 100), point(1, 0.8, 100, sparsity=0.5))))
    assert frame["on_front"].tolist() == [True, True, False]


def test_only_the_first_point_of_trial_0_is_the_teacher() -> None:
    frame = points_frame(study(TEACHER, trial(1, point(1, 0.9, 100))))
    assert frame["is_teacher"].tolist() == [True, False]
    assert frame["recipe"].iloc[0] == "the unpruned teacher"


def test_an_empty_study_has_all_columns_and_no_row() -> None:
    assert {"params", "on_front", "is_teacher"} <= set(points_frame(study()).columns)
    assert points_frame(study()).empty


def test_a_trial_without_points_is_a_row_too() -> None:
    frame = trials_frame(study(TEACHER, trial(1, status="failed", choices={"lr": 0.1})))
    assert frame["status"].tolist() == ["complete", "failed"]
    assert frame["points"].tolist() == [1, 0]
    assert math.isnan(frame["best_accuracy_validation"].iloc[1])


def test_a_summary_leaves_out_what_was_not_done() -> None:
    choices: dict[str, Choice] = {"order": "prune", "distiller": "none", "lr": 0.012345, "int8": True}
    assert summary(choices | {"fold": False, "pruner": None}) == "order prune, lr 0.0123, int8"


@pytest.mark.parametrize(
    ("choice", "name"),
    [(None, "none"), (math.nan, "none"), (True, "yes"), (False, "no"), (3, "3"), (0.25, "0.25"), ("kd", "kd")],
)
def test_a_choice_is_named_as_a_category(choice: Choice, name: str) -> None:
    assert level(choice) == name
