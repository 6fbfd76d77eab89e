from dataclasses import replace

import pytest

from dashboards import spending
from search.study.record import Point, TrialRecord
from tests.dashboards.records import point, study, trial

RECIPE = {"stages": [{"type": "distill"}, {"type": "prune"}, {"type": "quantize"}]}


def curve(number: int) -> list[Point]:
    """A distilled student, a second to make, cut to a half in another, both in int8 in one each."""
    places = [(0.0, "float"), (0.0, "int8"), (0.5, "float"), (0.5, "int8")]
    return [replace(point(number, 0.9, 10, sparsity=s, variant=v), recipe=RECIPE) for s, v in places]


def worked(number: int, points: list[Point], seconds: float, **spent: float) -> TrialRecord:
    return replace(trial(number, *points), seconds=seconds, spent=spent)


def test_a_point_is_of_the_stage_that_made_it() -> None:
    assert [spending.stage(one) for one in curve(1)] == ["distill", "quantize", "prune", "quantize"]


def test_the_teacher_is_of_its_only_stage() -> None:
    assert spending.stage(replace(point(0, 0.9, 10), recipe={"stages": [{"type": "train"}]})) == "train"


def test_a_model_that_trials_share_was_made_once() -> None:
    shared = curve(1)
    record = study(worked(1, shared, 4.5, train=4.0), worked(2, [*shared[:2], *curve(2)[2:]], 2.5, train=2.0))
    rows = {stage: figures for stage, *figures in spending.info(record).stages.itertuples(index=False)}
    assert rows["distill"] == [1, 1.0, 1, 1.0]
    assert rows["prune"] == [2, 2.0, 0, 0.0]


def test_what_was_taken_again_is_saved() -> None:
    shared = curve(1)
    found = spending.info(study(worked(1, shared, 4.5), worked(2, shared, 0.1)))
    assert (found.worked, found.saved, found.anew) == pytest.approx((4.6, 4.0, 8.6))


def test_what_an_earlier_study_made_is_saved_too() -> None:
    found = spending.info(study(worked(1, curve(1), 0.5)))
    assert found.saved == pytest.approx(3.5)


def test_the_workers_seconds_are_told_by_what_they_went_into() -> None:
    record = study(worked(1, curve(1), 4.5, train=3.0, measure=1.0), trial(2, status="running"))
    assert spending.info(record).work == pytest.approx({"train": 3.0, "measure": 1.0, "other": 0.5})


def test_the_figure_draws_both_parts_of_every_stage() -> None:
    made, saved = spending.figure(spending.info(study(worked(1, curve(1), 4.5), worked(2, curve(1), 0.1)))).data
    assert (list(made.x), list(saved.x)) == ([1, 2, 1], [1, 2, 1])


def test_an_empty_study_says_so() -> None:
    assert spending.figure(spending.info(study())).layout.annotations[0].text == "No model has been measured yet."
