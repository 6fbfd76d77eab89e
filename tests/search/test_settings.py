"""Settings refuse what makes no sense, in a sentence that names the option, and touch nothing."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

from search.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "../x"}, "study name must begin with a letter or digit"),
        ({"space": "cube"}, "space: unknown 'cube', known are aghli2021, chen2021, joint, malihi2023, resrep2021"),
        ({"objectives": ("accuracy",)}, "objectives: need at least two different names, got accuracy"),
        ({"objectives": ("accuracy", "joy")}, "objectives: unknown 'joy', known are accuracy, params"),
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"trials": -3}, "trials must be at least 1, got -3"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"cpus_per_trial": 0}, "cpus-per-trial must be at least 1, got 0"),
        ({"gpus_per_trial": -0.5}, "gpus-per-trial must be at least 0, got -0.5"),
        ({"gpus_per_trial": math.inf}, "gpus-per-trial must be at most 1, for a trial trains on one GPU"),
        ({"time_budget_s": 0.0}, "time-budget must be at least 1, got 0"),
        ({"time_budget_s": math.nan}, "time-budget must be at least 1, got nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        Settings(**{"name": "s", "home": tmp_path / "home", **wrong})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_the_same_for_workers_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings("s", task="folder:pictures/mine").task == f"folder:{tmp_path}/pictures/mine"
    assert Settings("s", task=f"folder:{tmp_path}").task == f"folder:{tmp_path}"
    assert Settings("s", task="folder:~/mine").task == f"folder:{Path.home()}/mine"


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ValueError, match=r"home must be a folder, got .*home/below: .*home is a file"):
        Settings("s", home=tmp_path / "home" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_must_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match=r"home must be writable, got .*: no permission in "):
        Settings("s", home=tmp_path / "home")


def test_a_home_that_is_not_there_yet_is_fine_and_not_made(tmp_path: Path) -> None:
    Settings("s", home=tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_mlflow_lies_in_the_home_unless_a_server_is_named(tmp_path: Path) -> None:
    assert Settings("s", home=tmp_path).mlflow_uri == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    assert Settings("s", home=tmp_path, tracking_uri="http://mlflow:5000").mlflow_uri == "http://mlflow:5000"
