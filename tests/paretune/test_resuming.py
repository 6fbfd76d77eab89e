"""A study goes on as it was begun: options left out are the study's own, those typed win."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from compress.measurement import Measurement
from paretune.options.search import Run
from paretune.verbs.search import as_begun
from search.settings import Settings
from search.study.endings import BY_REQUEST
from search.study.names import StudyError
from search.study.record import point_event
from search.study.study import Study
from search.study_options import arguments_of, header_entry


@pytest.fixture
def begun(tmp_path: Path) -> Study:
    """A study of few options that is begun, of three trials."""
    study = Study(tmp_path, "demo")
    asked = Settings("demo", home=tmp_path, trials=3, seeds=2, whole_curves=True)
    study.begin(
        task="digits",
        space="joint",
        scale="small",
        objectives=["accuracy", "macs"],
        seed=5,
        sampler="tpe",
        reference_point={"accuracy": 0.0, "macs": 9},
        fingerprint="f" * 64,
        students={"cnn": {}},
        budget={"max_params": {"value": 0.5, "is_share": True}},
        training={"epochs": 4},
        gpus_per_trial=0.5,
        **header_entry(asked),
    )
    return study


def test_options_left_out_are_those_the_study_was_begun_with(begun: Study) -> None:
    found = as_begun(Settings, {"name": "demo", "home": begun.home, "resume": True})
    made = Settings(**found)
    assert (made.space, made.scale, made.objectives, made.seed) == ("joint", "small", ("accuracy", "macs"), 5)
    assert (made.sampler, made.students, made.epochs) == ("tpe", ("cnn",), 4)
    assert not made.budget.bounds, "the bounds stay those of the header, to the last digit"
    assert (made.trials, made.seeds, made.whole_curves) == (3, 2, True)
    assert made.gpus_per_trial is None, "as the machine at hand has GPUs"


def test_options_given_win_and_a_new_study_has_none_of_an_old_one(begun: Study) -> None:
    given: dict[str, Any] = {"name": "demo", "home": begun.home, "trials": 9, "sampler": "random"}
    assert as_begun(Settings, given) == given
    found = as_begun(Settings, {**given, "resume": True})
    assert (found["trials"], found["sampler"], found["seeds"]) == (9, "random", 2)
    other = {"name": "none", "home": begun.home, "resume": True}
    assert as_begun(Settings, other) == other


def test_the_last_number_of_trials_asked_for_is_kept(begun: Study) -> None:
    for trials in (3, 7, 7):
        begun.want(trials)
    assert [event["trials"] for event in begun.ledger.events() if event["event"] == "wanted"] == [3, 7]
    again = Study(begun.home, "demo")
    assert (again.wanted, again.wants_all) == (7, False)
    assert arguments_of(again)["trials"] == 7
    begun.want(40, of_all=True)
    assert "trials" not in arguments_of(Study(begun.home, "demo")), "all of a grid, however many"


def test_a_study_of_recipes_goes_on_by_run_alone(tmp_path: Path) -> None:
    study = Study(tmp_path, "given")
    study.begin(
        task="digits",
        space="given",
        objectives=["accuracy"],
        seed=0,
        sampler="grid",
        reference_point={"accuracy": 0.0},
        recipes={"a": {}},
        options={"seeds": 3},
    )
    given = {"name": "given", "home": tmp_path, "resume": True}
    sentence = r"was begun by paretune run; `paretune run --name given --resume --home .*` goes on"
    with pytest.raises(StudyError, match=sentence):
        as_begun(Settings, given)
    found = as_begun(Run, given)
    assert (found["seeds"], found["objectives"], found["task"]) == (3, ("accuracy",), "digits")
    assert set(found) <= {each.name for each in fields(Run)}


def test_a_teacher_stopped_before_its_measurement_is_made_by_a_resume(begun: Study, measurement: Measurement) -> None:
    first, second = (begun.ask({"seed": 5}, {}, None) for _ in range(2))
    for trial in (first, second):
        begun.end(trial, "stopped", BY_REQUEST, 1.0, {})
    assert begun.unfinished == [0]
    begun.add(begun.requeue()[0], point_event("teacher", 0.0, "float", measurement))
    begun.end(0, "stopped", BY_REQUEST, 1.0, {})
    assert begun.unfinished == []
