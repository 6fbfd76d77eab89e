"""A search of a user's own files on a node whose current folder is elsewhere, and on a node without a file."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from search.study.study import Study
from tests.search.processes.nodes import busy, cluster_of

ROOT = Path(__file__).parents[3]
PARTS = """
import numpy as np
from names import CLASSES
from paretune import Classification, make_task

def make():
    data = np.load("parts.npz")
    return make_task(Classification(CLASSES), (data["images"], data["labels"]))
"""
SPACE = """
from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training import Training
from spaces import Space

def build(trial, task, seed):
    recovery = Recovery(Training(epochs=1, lr=trial.suggest_categorical("lr", (0.01, 0.02))))
    cut = Prune(L1Filter(), 0.6, OneShot(2), recovery)
    return Recipe(task, Model("cnn", 0.5), (Train(Training(epochs=2)), cut), seed=seed)

SPACE = Space("mine", build, Model("cnn", 0.5), "https://example.org")
"""
OPTIMIZER = """
import torch

def make(groups, lr, weight_decay):
    return torch.optim.NAdam(groups, lr=lr, weight_decay=weight_decay)
"""
DATA = """
import numpy as np
random = np.random.RandomState(0)
labels = np.arange(200) % 2
images = random.randint(0, 100, (200, 8, 8)).astype(np.uint8)
images[labels == 1, 4:] += 100
np.savez("parts.npz", images=images, labels=labels)
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a task, a space, an optimizer, and what the task's function reads."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, text in (("parts", PARTS), ("my_space", SPACE), ("my_optimizer", OPTIMIZER)):
        (folder / f"{name}.py").write_text(text)
    (folder / "names.py").write_text('CLASSES = ("dark", "bright")\n')
    subprocess.run([sys.executable, "-c", DATA], cwd=folder, check=True)
    return folder


@contextmanager
def search(files: Path, address: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The installed command, typed in the folder of the files; what it says goes into `said`."""
    command = [
        *(
            str(Path(sys.executable).with_name("paretune")),
            "search",
            "--name",
            "own",
            "--home",
            str(files.parent / "home"),
        ),
        *("--task", "parts.py:make", "--space", "my_space.py:SPACE", "--optimizer", "my_optimizer.py:make"),
        *("--lr", "0.01", "--trials", "3", "--gpus-per-trial", "0", "--address", address, *options),
    ]
    with (files.parent / "said").open("wb") as log:
        running = subprocess.Popen(command, cwd=files, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def add_node_elsewhere(cluster: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a node of one CPU that was started in a new, empty folder; return its id."""
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        return str(cluster.add_node(num_cpus=1).node_id)


@pytest.mark.slow
def test_a_users_task_space_and_optimizer_run_on_a_node_started_elsewhere(
    ray_folder: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster_of() as cluster:
        second = add_node_elsewhere(cluster, tmp_path / "elsewhere", monkeypatch)
        at_work: set[str] = set()
        with search(files, cluster.address) as running:
            while running.poll() is None:
                at_work.update(busy(cluster))
                time.sleep(0.2)
        assert running.returncode == 0, (tmp_path / "said").read_text()
    assert at_work == {second}
    assert [(one.status, len(one.points)) for one in Study(tmp_path / "home", "own").record.trials] == [
        ("complete", 1),
        ("complete", 3),
        ("complete", 3),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "parts.py",
            r"search own: on \S+ \S+/parts.py:make: \S+ must be a file of Python, got FileNotFoundError.*; every",
        ),
        (
            "my_optimizer.py",
            r"search own: on \S+ \S+/my_optimizer.py:make: \S+ must be a file of Python, got File.*; every",
        ),
        ("parts.npz", r"search own: on \S+ \S+/parts.py:make: must return a Task, got FileNotFoundError.*; every node"),
    ],
)
def test_a_node_without_a_users_file_fails_with_a_sentence(
    name: str, sentence: str, ray_folder: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster_of() as cluster:
        with search(files, cluster.address, "--trials", "2") as running:
            while b"trials wait" not in (tmp_path / "said").read_bytes():
                assert running.poll() is None, (tmp_path / "said").read_text()
                time.sleep(0.2)
            (files / name).unlink()  # the driver has read the file, the node comes without
            add_node_elsewhere(cluster, tmp_path / "elsewhere", monkeypatch)
            running.wait(timeout=100)
        assert running.returncode == 1, (tmp_path / "said").read_text()
    assert re.search(sentence, (tmp_path / "said").read_text())
    study = Study(tmp_path / "home", "own")
    assert [one.status for one in study.record.trials if one.status == "failed"] == []
    assert study.unfinished, "to be resumed once the file is there"
