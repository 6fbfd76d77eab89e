"""A task made by a user's function, or offered as an object: found by name, refused in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress.data import tasks
from compress.data.make_task import make_task
from compress.data.own_task import is_function, offer, title, whole_path
from compress.data.splits import DataError
from compress.data.tasks import Task, load_task
from compress.goals import Classification

SOURCE = """
import numpy as np
import torch
from paretune import Augment, Classification, make_task

LABELS = Classification(("good", "bad"))


def drawn(count):
    images = np.random.RandomState(count).randint(256, size=(count, 1, 4, 6)).astype(np.uint8)
    return images, np.arange(count) % 2


def make():
    print("drawing")
    return make_task(LABELS, drawn(20), drawn(6), drawn(8), augment=Augment(1, True))


def broken():
    raise RuntimeError("no camera")


def five():
    return 5


def ranged():
    images, labels = drawn(20)
    return make_task(LABELS, (images, labels + 7))


def doubles():
    torch.set_default_dtype(torch.float64)
    return make()


def mislabelled():
    return make_task(Classification(("good",)), drawn(20))


def misspelt():
    return make_task(LABELS, drawn(20), augmentation=None)
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "drawn_parts.py"
    path.write_text(SOURCE)
    before = list(sys.path)
    yield path
    sys.path[:] = before
    sys.modules.pop("drawn_parts", None)
    tasks._load.cache_clear()


def test_a_function_of_a_file_is_called_once_a_process(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    task = load_task(f"{file}:make")
    assert (task.name, task.shape, len(task.train)) == (f"{file}:make", (1, 4, 6), 20)
    assert task.summary.startswith("drawn_parts.py:make: 2 classes, 20 / 6 / 8 images, 1 x 4 x 6 as they are")
    assert load_task(f"{file}:make") is task
    assert capfd.readouterr() == ("", "drawing\n")  # standard output is the command's


def test_a_function_of_a_module_is_found_from_the_current_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert load_task("drawn_parts:make").fingerprint == load_task(f"{file}:make").fingerprint


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("broken", r"must return a Task, got RuntimeError: no camera \(drawn_parts.py line 20\)"),
        ("five", "must return a Task, as paretune.make_task does, got a int"),
        ("ranged", r"train: targets must be in \[0, 2\), numbers of classes from 0, got 7"),
        ("LABELS", "must be a function that returns a Task, got a Classification"),
        ("gone", "must have a function gone, it has none"),
        ("mislabelled", r"classification: there must be at least 2 classes, got 1 \(drawn_parts.py line 38\)"),
        (
            "misspelt",
            r"must return a Task, got TypeError: make_task\(\) got an .* \(drawn_parts.py line 42\)",
        ),
        ("drawn", "must return a Task when called without arguments, got TypeError"),
        ("doubles", "must leave torch's settings as they are, it calls torch.set_default_dtype"),
    ],
)
def test_a_function_that_makes_no_task_is_refused(name: str, sentence: str, file: Path) -> None:
    with pytest.raises(DataError, match=f"drawn_parts.py:{name}: .*{sentence}"):
        load_task(f"{file}:{name}")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"gone.py must be a file of Python, got FileNotFoundError"):
        load_task("gone.py:make")


def test_names_of_functions_are_told_from_other_names() -> None:
    assert [is_function(name) for name in ("a.py:b", "a.b:c", "digits", "folder:x", "object:x", "a:", "a:9")] == [
        *(True, True),
        *(False,) * 5,
    ]
    assert whole_path("a.py:b") == f"{Path.cwd()}/a.py:b"
    assert whole_path("a.b:c") == "a.b:c"
    assert [title("/x/a.py:b"), title("a.b:c"), title("digits")] == ["a.py:b", "a.b:c", "digits"]
    with pytest.raises(DataError, match=r"task: must be named as FILE.py:NAME or package.module:NAME, got 'a-b:c'"):
        whole_path("a-b:c")


@pytest.fixture
def made(digits: Task) -> Task:
    images = digits.test.first(20).images
    return make_task(Classification(("even", "odd")), (images, [0, 1] * 10), name="halves")


def test_an_offered_task_is_known_by_its_name(made: Task) -> None:
    name = offer(made)
    assert name == "object:halves"
    assert load_task(name).fingerprint == made.fingerprint
    assert offer(load_task(name)) == name


def test_what_was_not_offered_is_refused() -> None:
    with pytest.raises(DataError, match="object:gone: the task was given as an object, and this process has none"):
        load_task("object:gone")
    with pytest.raises(DataError, match="task: must be a name or a Task, got a int"):
        offer(5)
