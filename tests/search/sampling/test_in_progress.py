"""Who would wait for whom: trials that share a teacher, a student or the way down a curve."""

from __future__ import annotations

import pytest

from compress.distill import KD
from compress.models import Model
from compress.plan import plan
from compress.pruning import SCHEDULES, L1Unstructured, Schedule
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Train
from compress.training.settings import Training
from search.sampling.in_progress import InProgress

ONCE = Training(epochs=1)
TEACHER = Recipe("digits", Model("cnn"), (Train(ONCE),))
TAUGHT = Recipe("digits", Model("cnn", 0.5), (Distill(KD(), ONCE),), Model("cnn"), ONCE)


def pruned(sparsity: float, schedule: Schedule) -> Recipe:
    return Recipe("digits", Model("cnn"), (Train(ONCE), Prune(L1Unstructured(), sparsity, schedule, Recovery(ONCE))))


def keys(recipe: Recipe) -> list[str]:
    return [step.key for step in plan(recipe, "images")]


@pytest.fixture
def in_progress() -> InProgress:
    """Trial 0 is the teacher and is being made; 1 learns from it, 2 and 3 prune it."""
    found = InProgress("images")
    for trial, recipe in enumerate(
        (TEACHER, TAUGHT, pruned(0.5, SCHEDULES["one-shot"](2)), pruned(0.6, SCHEDULES["cubic"](2)))
    ):
        found.add(trial, recipe)
    found.start(0)
    return found


def test_whoever_needs_what_is_in_the_making_would_wait(in_progress: InProgress) -> None:
    assert [in_progress.would_wait(trial) for trial in (1, 2, 3)] == [True, True, True]


def test_nobody_waits_for_what_nobody_makes(in_progress: InProgress) -> None:
    in_progress.end(0)
    assert not in_progress.would_wait(1)


def test_nobody_waits_for_what_is_there(in_progress: InProgress) -> None:
    in_progress.made(0, keys(TEACHER))
    assert not any(in_progress.would_wait(trial) for trial in (1, 2, 3))
    in_progress.start(2)
    assert not in_progress.would_wait(3), "they share the teacher alone, and another schedule has other levels"


def test_a_point_says_that_its_teacher_is_there(in_progress: InProgress) -> None:
    in_progress.end(0)
    in_progress.start(1)
    assert in_progress.would_wait(2)
    in_progress.made(1, keys(TAUGHT))
    assert not in_progress.would_wait(2)


def test_what_an_earlier_study_made_is_there() -> None:
    found = InProgress("images", made=keys(TEACHER))
    found.add(0, TEACHER)
    found.start(0)
    found.add(1, TAUGHT)
    assert not found.would_wait(1)


def test_the_same_way_down_is_made_once(in_progress: InProgress) -> None:
    in_progress.made(0, keys(TEACHER))
    way = pruned(0.5, SCHEDULES["one-shot"](2))
    in_progress.add(4, way)
    in_progress.start(2)
    for key in keys(way)[1:]:
        assert in_progress.would_wait(4)
        in_progress.made(2, [key])
    assert not in_progress.would_wait(4)


def test_what_two_make_is_in_the_making_until_both_have_ended(in_progress: InProgress) -> None:
    in_progress.start(2)
    in_progress.end(0)
    teacher = keys(TEACHER)[0]
    assert teacher in in_progress
    assert in_progress.would_wait(1)
    in_progress.end(2)
    assert teacher not in in_progress
    assert not in_progress.would_wait(1)
