"""From which study another one starts: checked when it begins, and known again when it goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from search.begun import earlier_of
from search.settings import Settings
from search.study import Study, StudyError

HEADER: dict[str, Any] = {"space": "joint", "objectives": ["accuracy", "params"], "seed": 0}


def begun(home: Path, name: str, task: str = "digits", **more: str) -> Study:
    study = Study(home, name)
    study.begin(task=task, reference_point={"accuracy": 0.0, "params": 9.0}, **HEADER, **more)
    return study


def asked(home: Path, start_from: str | None, *, resume: bool = False) -> Settings:
    return Settings("b", home=home, start_from=start_from, resume=resume)


def test_a_study_that_goes_on_knows_from_which_it_started(tmp_path: Path) -> None:
    first = begun(tmp_path, "a")
    assert earlier_of(Study(tmp_path, "b"), asked(tmp_path, "a")) == first.record
    study = begun(tmp_path, "b", **{"from": "a"})
    for start_from in ("a", None):
        assert earlier_of(study, asked(tmp_path, start_from, resume=True)) == first.record
    with pytest.raises(StudyError, match="study b: was begun with from 'a', got 'c'"):
        earlier_of(study, asked(tmp_path, "c", resume=True))


def test_one_that_is_gone_since_is_said_and_the_study_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begun(tmp_path, "a")
    study = begun(tmp_path, "b", **{"from": "a"})
    shutil.rmtree(tmp_path / "studies" / "a")
    assert earlier_of(study, asked(tmp_path, None, resume=True)) is None
    assert "there is none in" in caplog.text
    assert "this study was started from it, and goes on without" in caplog.text


def test_one_that_started_from_none_cannot_be_given_one_later(tmp_path: Path) -> None:
    begun(tmp_path, "a")
    study = begun(tmp_path, "b")
    assert earlier_of(study, asked(tmp_path, None, resume=True)) is None
    with pytest.raises(StudyError, match="study b: was begun with from None, got 'a'"):
        earlier_of(study, asked(tmp_path, "a", resume=True))


def test_one_about_another_task_says_nothing_of_this_one(tmp_path: Path) -> None:
    begun(tmp_path, "a", task="cifar10")
    with pytest.raises(StudyError, match="from: a must be about the task 'digits', got 'cifar10'"):
        earlier_of(Study(tmp_path, "b"), asked(tmp_path, "a"))
