"""The file of a running driver: a driver that was killed is told from one that lives, and requests are heard once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from search.study.driver_file import (
    FILE,
    SILENT_S,
    Doing,
    DriverFile,
    ask_to_stop,
    duration,
    is_asked,
    read,
    remove,
    take_requests,
)

DOING = Doing(3, "train cnn", 1.5, 10, 20.0, "node7", 12, 1e9)


def here() -> DriverFile:
    return DriverFile.here(started=time.time() - 5, trials=9, at_work=(DOING,), waiting=(4,), left_s=60.0)


def test_a_driver_is_read_as_it_was_written(tmp_path: Path) -> None:
    here().write(tmp_path)
    found = read(tmp_path)
    assert found is not None
    assert found.is_alive
    assert (found.at_work, found.waiting, found.left_s) == ((DOING,), (4,), 60.0)
    remove(tmp_path)
    assert read(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', json.dumps({"at_work": [{"x": 1}], "waiting": []})])
def test_a_file_of_another_version_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert read(tmp_path) is None


def test_a_process_that_ended_is_dead_and_so_is_another_with_its_number() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not replace(here(), pid=gone.pid).is_alive
    assert not replace(here(), begun="1").is_alive


def test_a_driver_elsewhere_is_dead_once_it_was_silent_for_a_minute() -> None:
    away = replace(here(), host="another.machine")
    assert away.is_alive
    assert not replace(away, heard=time.time() - SILENT_S - 1).is_alive


def test_a_request_is_heard_once(tmp_path: Path) -> None:
    assert take_requests(tmp_path) == []
    ask_to_stop(tmp_path)
    ask_to_stop(tmp_path, 12)
    (tmp_path / "requests" / "something else").touch()
    assert is_asked(tmp_path)
    assert is_asked(tmp_path, 12)
    assert take_requests(tmp_path) == [None, 12]
    assert not is_asked(tmp_path, 12)
    assert take_requests(tmp_path) == []


def test_what_a_worker_does_is_said_in_few_words() -> None:
    now = replace(DOING, at=time.time() - 5)
    assert now.words == "train cnn, epoch 2 of 10, 15 s left"
    assert replace(now, done=10.0, left_s=0.0).words == "train cnn, epoch 10 of 10, 0 s left"
    assert Doing(3).words == "waits for a worker"
    assert Doing(3, "waiting for train").words == "waiting for train"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.0, "59 s"), (65.0, "1 min 05 s"), (11_400.0, "3 h 10 min"), (187_200.0, "2 days 4 h")],
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words
