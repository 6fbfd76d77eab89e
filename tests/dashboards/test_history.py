import pytest

from dashboards import history
from search.study.front import hypervolume
from tests.dashboards.records import MAE, by, point, study, trial


def test_each_row_is_the_hypervolume_of_all_points_so_far() -> None:
    record = study(trial(0, point(0, 0.9, 500)), trial(1, point(1, 0.5, 100)), trial(2, point(2, 0.95, 50)))
    volumes = [hypervolume(record.points[:n], record.objectives, record.reference_point) for n in (1, 2, 3)]
    assert history.info(record)["hypervolume"].tolist() == pytest.approx(volumes)


def test_a_trial_that_adds_nothing_leaves_it_as_it_was() -> None:
    frame = history.info(study(trial(0, point(0, 0.9, 10)), trial(1, point(1, 0.5, 100))))
    assert frame["hypervolume"].iloc[0] == frame["hypervolume"].iloc[1] > 0


def test_failed_trials_count_and_running_ones_do_not() -> None:
    record = study(trial(0, point(0, 0.9, 10)), trial(1, status="running"), trial(2, status="failed"))
    frame = history.info(record)
    assert (frame["finished"].tolist(), frame["trial"].tolist()) == ([1, 2], [0, 2])


def test_the_figure_draws_the_frame() -> None:
    frame = history.info(study(trial(0, point(0, 0.9, 10)), trial(1, point(1, 0.95, 5))))
    (line,) = history.figure(frame).data
    assert list(line.y) == frame["hypervolume"].tolist()


def test_an_empty_study_says_so() -> None:
    assert history.figure(history.info(study())).layout.annotations[0].text == "No trial has finished yet."


def test_seconds_add_up_in_the_order_asked_for() -> None:
    record = study(trial(0, point(0, 0.9, 10)), trial(1, status="failed"), trial(2, status="running"))
    assert history.info(record)["seconds"].tolist() == [1, 2]


def test_stages_are_the_fronts_at_shares_of_the_seconds() -> None:
    trials = [trial(i, point(i, 0.5 + i / 100, 100 + i)) for i in range(10)]
    found = history.stages(study(*trials))
    assert [(stage.seconds, stage.trials) for stage in found] == [(1, 1), (2, 2), (5, 5), (10, 10)]
    assert found[1].steps == ((100.0, 0.5), (101.0, 0.51))


def test_a_stage_that_adds_no_trial_is_not_told_twice() -> None:
    (only,) = history.stages(study(trial(0, point(0, 0.9, 10)), trial(1, status="running")))
    assert only.trials == 1


def test_the_figure_draws_a_line_a_stage() -> None:
    found = history.stages(study(*(trial(i, point(i, 0.9, 10 + i)) for i in range(4))))
    assert len(history.stages_figure(found).data) == len(found) == 3


def test_a_study_without_points_has_no_stage() -> None:
    drawing = history.stages_figure(history.stages(study(trial(0, status="failed"))))
    assert drawing.layout.annotations[0].text == "No model has been measured yet."


def test_stages_of_an_error_are_in_its_unit_on_an_axis_whose_upper_end_is_better() -> None:
    found = history.stages(by(MAE, study(trial(0, point(0, 0.9, 10)), trial(1, point(1, 0.8, 5)))))
    assert [params for params, _ in found[-1].steps] == [5, 10]
    assert [degrees for _, degrees in found[-1].steps] == pytest.approx([4, 2])
    axis = history.stages_figure(found, MAE).layout.yaxis
    assert (axis.title.text, axis.autorange, axis.tickformat) == ("mae in degrees on validation", "reversed", None)
