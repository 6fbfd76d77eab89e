import pytest

from dashboards import history
from search.front import hypervolume
from tests.dashboards.records import point, study, trial


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
