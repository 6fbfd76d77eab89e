"""The seconds left: from the plan's costs at first, then from the trials that have ended."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from search.running.time_left import LEAST, PRIOR, TimeLeft
from search.study.driver_file import Doing

PLANNED = (100.0, 50.0)


def state(status: str = "complete", seconds: float = 0.0, *points: float) -> Any:
    made = {n: SimpleNamespace(measured=SimpleNamespace(seconds=each)) for n, each in enumerate(points)}
    return SimpleNamespace(status=status, seconds=seconds, points=made)


def left(*trials: Any, wanted: int = 10, at_work: tuple[int, ...] = (), doing: tuple[Doing, ...] = ()) -> float | None:
    now = time.monotonic()
    known = {"trials": wanted, "at_work": dict.fromkeys(at_work, now - 10.0), "doing": doing}
    driver = SimpleNamespace(study=SimpleNamespace(trials=dict(enumerate(trials))), **known)
    return TimeLeft(cast(Any, driver), lambda: PLANNED)()


def test_nothing_is_known_before_the_teachers_first_epoch() -> None:
    assert left(state("running"), at_work=(0,)) is None


def test_the_teachers_first_epochs_tell_what_a_mac_takes() -> None:
    training = Doing(0, "train resnet20", 3.0, 60, 190.0)
    assert left(state("running"), at_work=(0,), doing=(training,)) == pytest.approx(9 * 100.0, rel=0.01)


def test_a_trial_at_work_has_its_rest_ahead_and_workers_share_what_is_left() -> None:
    teacher, two = state("complete", 210.0, 200.0), (state("running"), state("running"))
    assert left(teacher, *two, at_work=(1, 2)) == pytest.approx((2 * 90.0 + 7 * 100.0) / 2, rel=0.01)


def test_the_start_of_a_worker_is_no_part_of_its_training() -> None:
    training = Doing(0, "train resnet20", 30.0, 60, 20.0)
    assert left(state("running"), at_work=(0,), doing=(training,)) == pytest.approx(9 * 20.0, rel=0.01)


def test_no_less_is_left_than_of_the_longest_training_at_work() -> None:
    teacher, quick = state("complete", 0.02, 0.01), (state("running"), state("running"))
    doing = (Doing(1, "train cnn", 1.0, 9, 10.0), Doing(2, "train cnn", 1.0, 9, 60.0, at=time.time() - 20.0))
    assert left(teacher, *quick, wanted=3, at_work=(1, 2), doing=doing) == pytest.approx(40.0, rel=0.01)


def test_trials_that_have_ended_outweigh_the_plan() -> None:
    teacher = state("complete", 210.0, 200.0)
    ended = [state("complete", 20.0, 1.0)] * 9
    expected = (PRIOR * 100.0 + 9 * 20.0) / (PRIOR + 9)
    assert left(teacher, *ended, state("running"), wanted=11, at_work=(10,)) == pytest.approx(expected - 10.0, rel=0.01)
    slow = left(teacher, *ended, state("running"), wanted=11, at_work=(10,), doing=())
    assert slow is not None
    assert slow >= LEAST * expected


def test_once_only_seeds_are_added_nothing_is_told() -> None:
    assert left(state("complete", 210.0, 200.0), state("complete", 5.0, 1.0), wanted=2) is None
