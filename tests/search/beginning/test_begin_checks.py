"""From which study another one starts: checked when it begins, and known again when it goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compress.data.tasks import Task
from compress.plan import plan
from compress.recipe import Recipe
from search.beginning.begin_checks import earlier_of, given_models
from search.settings import Settings
from search.study.images import check_images
from search.study.names import StudyError
from search.study.study import Study

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


def test_a_study_goes_on_with_the_images_it_was_begun_with_alone(tmp_path: Path, tiny: Task) -> None:
    study = begun(tmp_path, "a", fingerprint=tiny.fingerprint)
    check_images(study, tiny)
    check_images(Study(tmp_path, "b"), tiny)
    with pytest.raises(StudyError, match=r"images of digits must be those it was begun with, .*, got 0000"):
        check_images(study, replace(tiny, fingerprint="0000"))


def test_of_a_study_that_does_not_say_the_first_model_tells(
    tmp_path: Path,
    tiny: Task,
    event: Callable[..., dict[str, Any]],
    form: Callable[[int], dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    study = begun(tmp_path, "a")
    (step,) = plan(Recipe.from_json(form(0)), tiny.fingerprint)
    study.add(study.ask(form(0), {}, None), event(step.key))
    check_images(study, tiny)
    assert not caplog.text
    check_images(study, replace(tiny, fingerprint="0000"))
    assert "study a: its models were made by another version, or of other images" in caplog.text


def test_a_study_of_a_librarys_network_goes_on_with_the_same_version_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings("b", home=tmp_path, students=("torchvision:resnet18",))
    found = given_models(Study(tmp_path, "b"), settings)
    version = found["students"]["torchvision:resnet18"]["version"]
    assert version.startswith("torchvision 0.")
    study = begun(tmp_path, "b", **found)  # type: ignore[arg-type]
    assert given_models(study, settings) == found
    monkeypatch.setattr("compress.models.library.metadata.version", lambda name: "99.0")
    with pytest.raises(
        StudyError, match="torchvision:resnet18 must be as it was when the study was begun, got another ver"
    ):
        given_models(study, settings)
