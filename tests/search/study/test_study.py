"""A study's folder: the sum of the events, the name, the only writer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.study.endings import INTERRUPTED
from search.study.names import StudyError, check_name
from search.study.record import Point
from search.study.study import TEACHER, Study
from search.study.totals import Totals

Event = Callable[..., dict[str, Any]]
Form = Callable[[int], dict[str, Any]]


def again(study: Study) -> Study:
    """The study as a new process finds it."""
    return Study(study.home, study.name)


def test_a_study_reads_back_as_it_was_written(study: Study, event: Event, form: Form) -> None:
    trial = study.ask(form(1), {"width": 0.5}, 4)
    study.add(trial, event("ab1", 0.5, "int8", params=7))
    study.end(trial, "complete", "", 1.23456, {"train": 1.0})
    assert again(study).record == study.record
    assert again(study).trials[0].optuna == 4


def test_a_point_knows_its_trial_recipe_and_place(study: Study, event: Event, form: Form) -> None:
    study.add(study.ask(form(1), {}, None), event("ab1", 0.5, "int8", params=7))
    point = study.record.points[0]
    assert isinstance(point, Point)
    assert (point.id, point.trial, point.recipe, point.sparsity, point.variant) == ("ab1", 0, form(1), 0.5, "int8")
    assert point.path == str(study.home / "store" / "ab" / "ab1")
    assert point.measured.params == 7


def test_a_point_is_written_once_a_trial(study: Study, event: Event, form: Form) -> None:
    trial = study.ask(form(1), {}, None)
    assert study.add(trial, event("ab1")) is not None
    assert study.add(trial, event("ab1")) is None
    assert [e["event"] for e in study.ledger.events()].count("point") == 1


def test_points_of_one_message_are_written_once_each(study: Study, event: Event, form: Form) -> None:
    trial = study.ask(form(1), {}, None)
    study.add(trial, event("ab1"))
    new = study.add_all(trial, [event("ab2"), event("ab1"), event("ab2"), event("ab3")])
    assert [point.id for point in new] == ["ab2", "ab3"]
    assert again(study).record == study.record
    assert study.add_all(trial, [event("ab3")]) == []


def test_a_trial_that_has_not_changed_is_the_same_object_in_the_next_record(
    study: Study, event: Event, form: Form
) -> None:
    for n in range(2):
        study.ask(form(n), {}, None)
    before = study.record
    study.add(1, event("ab1"))
    after = study.record
    assert after.trials[0] is before.trials[0]
    assert (len(before.trials[1].points), len(after.trials[1].points)) == (0, 1)


def test_two_trials_may_share_a_point_and_the_study_counts_it_once(study: Study, event: Event, form: Form) -> None:
    for n in (1, 2):
        study.add(study.ask(form(n), {}, None), event("ab1"))
    assert [len(trial.points) for trial in study.record.trials] == [1, 1]
    assert [point.trial for point in study.record.points] == [0]


def test_a_model_that_was_made_again_counts_as_it_is_now_in_all_trials_that_have_it(
    study: Study, event: Event, form: Form
) -> None:
    for n in (1, 2, 3):
        study.add(study.ask(form(n), {}, None), event("ab1" if n < 3 else "cd2", 0.5, score_validation=0.5))
    assert not study.renew(event("ef3"))
    assert not study.renew(event("ab1", score_validation=0.5, seconds=9.0, latency_ms=7.0))
    assert study.renew(event("ab1", score_validation=0.6, device="NVIDIA H200"))
    found = [trial.points[0] for trial in again(study).record.trials]
    assert [point.measured.score_validation for point in found] == [0.6, 0.6, 0.5]
    assert {point.sparsity for point in found} == {0.5}
    assert again(study).record == study.record
    assert not study.renew(event("ab1", score_validation=0.6, device="NVIDIA H200"))


def test_a_trial_ends_with_status_reason_and_time(study: Study, form: Form) -> None:
    study.end(study.ask(form(1), {}, None), "failed", "the loss became nan", 2.0, {"train": 1.5})
    trial = again(study).record.trials[0]
    assert (trial.status, trial.reason, trial.seconds) == ("failed", "the loss became nan", 2.0)
    assert trial.spent == {"train": 1.5}


def test_what_a_trial_took_before_it_was_resumed_counts(study: Study, form: Form) -> None:
    study.end(study.ask(form(1), {}, None), "stopped", INTERRUPTED, 2.0, {"train": 1.5, "cut": 0.5})
    study.requeue()
    study.end(0, "complete", "", 1.0, {"train": 0.5, "wait": 0.5})
    trial = again(study).record.trials[0]
    assert (trial.seconds, trial.spent) == (3.0, {"train": 2.0, "cut": 0.5, "wait": 0.5})


def test_requeue_takes_up_what_ran_or_was_interrupted_and_nothing_else(study: Study, form: Form) -> None:
    for n, (status, reason) in enumerate(
        [("complete", ""), ("failed", "why"), ("stopped", INTERRUPTED), ("stopped", "too late"), ("running", "")]
    ):
        study.ask(form(n), {}, None)
        if status != "running":
            study.end(n, status, reason, 1.0, {})  # type: ignore[arg-type]
    assert study.requeue() == [2, 4]
    statuses = [trial.status for trial in again(study).record.trials]
    assert statuses == ["complete", "failed", "running", "stopped", "running"]


def test_a_requeued_trial_keeps_its_points(study: Study, event: Event, form: Form) -> None:
    trial = study.ask(form(1), {}, None)
    study.add(trial, event("ab1"))
    study.requeue()
    assert [point.id for point in again(study).record.trials[0].points] == ["ab1"]


def test_the_teacher_is_the_first_point_of_the_first_trial(study: Study, event: Event, form: Form) -> None:
    assert study.record.teacher is None
    study.add(study.ask(form(1), {}, None), event("ab1"))
    study.add(study.ask(form(2), {}, None), event("cd2"))
    assert study.record.teacher == study.record.points[0]


def test_a_torn_point_is_the_only_one_lost(study: Study, event: Event, form: Form) -> None:
    trial = study.ask(form(1), {}, None)
    for key in ("ab1", "ab2"):
        study.add(trial, event(key))
    whole = study.ledger.path.read_bytes()
    study.ledger.path.write_bytes(whole[:-20])
    assert [point.id for point in again(study).record.points] == ["ab1"]


def test_a_study_that_is_not_there_lists_those_that_are(study: Study) -> None:
    with pytest.raises(StudyError, match=r"study t: there is none in .*; known are s$"):
        _ = Study(study.home, "t").record


def test_a_folder_without_a_ledger_is_no_known_study(tmp_path: Path) -> None:
    (tmp_path / "studies" / "empty").mkdir(parents=True)
    with pytest.raises(StudyError, match=r"known are none$"):
        _ = Study(tmp_path, "t").record


def test_reading_a_study_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    assert not Study(tmp_path / "home", "s").exists
    assert not (tmp_path / "home").exists()


def test_a_newer_version_is_refused(study: Study) -> None:
    study.ledger.append("study", version=2, name="s")
    with pytest.raises(StudyError, match="study s: written by a newer version, 2 > 1"):
        again(study)


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "<script>", "", ".", "..", ".hidden", "-x", "x" * 81, "a b", "a\n", "é", "a\x00", "'"]
)
def test_a_name_that_is_unfit_for_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="study name must begin with a letter or digit") as caught:
        Study(tmp_path, name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["a", "0", "my-study_2.1", "x" * 80])
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert check_name(name) == name


def test_a_second_driver_is_refused_with_a_sentence(study: Study) -> None:
    code = (
        "import sys; from pathlib import Path; from search.study.study import Study, StudyError\n"
        "try: Study(Path(sys.argv[1]), 's').lock()\n"
        "except StudyError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(study.home)]
    with study.lock():
        refused = subprocess.run(command, capture_output=True, text=True, check=True)
    assert refused.stdout == "study s: another search is running it; wait for it or stop it first\n"
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_a_study_never_begun_is_forsaken_without_a_trace(tmp_path: Path) -> None:
    study = Study(tmp_path, "s")
    with study.lock():
        study.forsake()
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_has_begun_is_not_forsaken(study: Study) -> None:
    with study.lock():
        study.forsake()
    assert again(study).exists


def test_the_reference_has_the_teachers_latency_once_that_is_measured_where_trials_run(
    tmp_path: Path, event: Callable[..., dict[str, Any]], form: Callable[[int], dict[str, Any]]
) -> None:
    reference = {"accuracy": 0.0, "params": 1000, "latency_ms": 1.5}
    kept = {"task": "digits", "space": "joint", "objectives": ["accuracy", "latency_ms"], "seed": 0}
    for name, header, latency in (("old", {}, 1.5), ("new", {"latency_of": TEACHER}, 9.0)):
        study = Study(tmp_path, name)
        study.begin(**kept, reference_point=reference, **header)
        totals, trial = Totals(), study.ask(form(0), {}, None)
        totals.follow(study.record)
        assert study.record.reference_point == reference
        study.add(trial, event("ab1", latency_ms=9.0, device="NVIDIA A10G"))
        study.add(trial, event("ab2", 0.5, latency_ms=4.0, device="NVIDIA A10G"))
        assert study.record.reference_point["latency_ms"] == latency
        totals.follow(study.record)
        assert totals.front is not None
        assert (totals.front.hypervolume > 0) == (name == "new")


def test_a_measured_latency_takes_the_place_of_a_foreseen_one_in_every_trial(
    study: Study, event: Event, form: Form
) -> None:
    for trial in (0, 1):
        study.ask(form(1), {}, None)
        study.add(trial, event("ab1"))
    study.add(1, event("ab2"))
    study.time({"ab1": (0.5, 0.75)})
    for found in (study.record, again(study).record):
        points = [point for trial in found.trials for point in trial.points]
        latencies = {(point.trial, point.id): point.measured.latency_ms for point in points}
        assert latencies[0, "ab1"] == latencies[1, "ab1"] == 0.5
        assert latencies[1, "ab2"] != 0.5
        assert found.timed == {"ab1"}
    study.renew({**event("ab1"), "measured": {**event("ab1")["measured"], "params": 7}})
    assert again(study).record.timed == frozenset()


@pytest.mark.parametrize("found", [{"ab1": [0.5]}, {"ab1": [0.5, -1]}, {"ab1": "x"}, []])
def test_latencies_that_are_none_are_refused(found: object, study: Study, event: Event, form: Form) -> None:
    study.ask(form(1), {}, None)
    study.add(0, event("ab1"))
    study.ledger.append("timed", latencies=found)
    with pytest.raises(StudyError, match="latencies"):
        again(study)
