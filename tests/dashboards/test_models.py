import json
from dataclasses import replace

import pytest

from compress.figures import RECORDED
from dashboards.models import TEACHER, Models, columns
from search.study.record import Choice, TrialRecord
from tests.dashboards.records import MAE, by, point, study, trial

FIRST = trial(0, point(0, 0.99, 1000))
SEEDS = (trial(1, point(1, 0.9, 100)), trial(2, point(2, 0.8, 200, family="1/float/0.0")))


def models(*trials: TrialRecord) -> Models:
    return Models.of(study(*trials))


def test_a_point_two_trials_share_is_one_row_of_the_first() -> None:
    shared = point(1, 0.9, 100)
    found = models(trial(1, shared), trial(2, shared))
    assert [owner.id for owner in found.trials] == [1]


def test_seeds_share_a_row_with_the_mean_of_their_figures() -> None:
    told = columns(models(FIRST, *SEEDS))["rows"]
    assert (told["validation"], told["params"]) == (pytest.approx([0.99, 0.85]), [1000, 150])
    assert told["count"] == [1, 2]


def test_only_rows_of_several_seeds_have_a_margin_and_a_spread() -> None:
    told = columns(models(FIRST, *SEEDS))["rows"]
    assert told["margin"] == [None, pytest.approx(12.706 * 0.05, rel=1e-3)]  # Student's t of one degree of freedom
    assert told["spread"] == [None, pytest.approx(0.1 / 2**0.5)]


def test_every_point_is_a_row_of_one_seed_or_one_of_the_seeds() -> None:
    found = models(FIRST, *SEEDS)
    told = columns(found)
    assert told["seeds"]["row"] == [1, 1]
    assert told["rows"]["count"].count(1) + len(told["seeds"]["row"]) == len(found.study.points)


def test_figures_travel_unrounded() -> None:
    exact = 1 / 3
    told = columns(models(trial(1, point(1, exact, 100))))
    assert json.loads(json.dumps(told))["rows"]["validation"] == [exact]
    assert {one.key for one in RECORDED} <= set(told["rows"])


def test_the_front_is_of_means_under_the_studys_objectives() -> None:
    lucky = (trial(1, point(1, 1.0, 500)), trial(2, point(2, 0.5, 500, family="1/float/0.0")))
    assert models(trial(3, point(3, 0.9, 400)), *lucky).front == [0]


def test_the_teacher_is_trial_0s_first_point() -> None:
    found = models(FIRST, trial(1, point(1, 0.9, 100), choices={"order": "prune"}))
    assert (found.teacher, found.recipe(0), found.recipe(1)) == (0, TEACHER, "order prune")
    assert models(trial(0, status="failed")).teacher is None


def test_words_are_told_once() -> None:
    chosen: dict[str, Choice] = {"order": "prune"}
    told = columns(models(*(trial(i, point(i, 0.9, 10), choices=chosen) for i in (1, 2))))
    assert told["words"]["group"] == ["prune"]
    assert told["rows"]["group"] == [0, 0]


def test_colour_follows_order_where_the_space_has_one() -> None:
    found = models(trial(1, point(1, 0.9, 10), choices={"student": "cnn", "order": "prune"}))
    assert (found.coloured_by, found.group(0)) == ("order", "prune")


def test_colour_follows_else_the_first_choice_of_few_words() -> None:
    trials = [trial(i, point(i, 0.9, 10), choices={"lr": i / 10, "student": f"s{i}"}) for i in (1, 2)]
    assert models(*trials).coloured_by == "student"


def test_without_a_choice_of_words_all_points_are_one_group() -> None:
    found = models(trial(1, point(1, 0.9, 10), choices={"lr": 0.1}))
    assert (found.coloured_by, found.group(0)) == ("", "")


def test_an_empty_study_has_all_columns_and_no_row() -> None:
    told = columns(models())
    assert {one.key for one in RECORDED} <= set(told["rows"])
    assert not any(told["rows"].values())


def test_qualities_travel_as_scores_and_metrics_beside_them_in_their_own_units() -> None:
    found = Models.of(by(MAE, study(FIRST, *SEEDS)))
    told = columns(found)
    assert told["rows"]["validation"] == pytest.approx([0.99, 0.85])
    assert found.also == ("r2_test",)
    assert told["rows"]["r2_test"] == [pytest.approx(0.89), pytest.approx(0.8)]
    assert told["seeds"]["r2_test"] == [pytest.approx(0.8), pytest.approx(0.7)]


def test_metrics_measured_beside_come_metric_by_metric_without_the_quality() -> None:
    beside = {f"{name}_{split}": 0.5 for split in ("validation", "test") for name in ("mae", "r2", "mae-yaw")}
    one = replace(point(0, 0.9, 10), quality=MAE)
    record = replace(study(trial(0, replace(one, measured=replace(one.measured, metrics=beside)))), quality=MAE)
    assert Models.of(record).also == ("r2_validation", "r2_test", "mae-yaw_validation", "mae-yaw_test")
