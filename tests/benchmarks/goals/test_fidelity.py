"""A network trained outside has the same figures in Paretune: R2 by value, mIoU; task by a function, NAME@FILE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.goals.fidelity import CLOSE, Trial, pose_trial, rows, shapes_trial
from compress.data.splits import Split, TensorSplit
from compress.data.tasks import Task, load_task
from compress.models import Model
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.stages import Train
from compress.store.folder import Store
from compress.training.settings import Training


def pose_file(folder: Path) -> Path:
    """Images (150, 24, 32) of a bright spot, and values (150, 3): its brightness, column and row, about 0."""
    random = np.random.RandomState(0)
    values = random.uniform(-1, 1, (150, 3)).astype(np.float32)
    rows, columns = np.mgrid[:24, :32]
    light, x, y = (values[:, place, None, None] for place in range(3))
    away = (columns - 16 - 10 * x) ** 2 + (rows - 12 - 7 * y) ** 2
    images = (170 + 60 * light) * np.exp(-away / 18) + random.uniform(0, 20, (150, 24, 32))
    np.savez(folder / "poses.npz", images=images.astype(np.uint8), pose=values)
    return folder / "poses.npz"


def poses(folder: Path) -> Trial:
    return pose_trial(pose_file(folder), epochs=8)


def shapes(_: Path) -> Trial:
    return shapes_trial(count=120, epochs=20)


def metrics(task: Task, network: str, home: Path) -> dict[str, float]:
    """The figures of the network as it is."""
    recipe = Recipe(task.name, Model.parse(network), (Train(Training(epochs=0)),))
    (point,) = Pipeline(task, Store(home)).run(recipe)
    return dict(point.measured.metrics)


@pytest.mark.parametrize(("make", "least"), [(poses, 0.5), (shapes, 0.3)])
def test_a_network_trained_outside_measures_inside_as_outside(
    make: Callable[[Path], Trial], least: float, tmp_path: Path
) -> None:
    trial = make(tmp_path)
    task, network = trial.write(tmp_path / "own")
    inside = metrics(load_task(task), network, tmp_path / "home")
    assert max(trial.outside.figures.values()) > least
    for name, wanted in trial.outside.figures.items():
        assert inside[name] == pytest.approx(wanted, abs=CLOSE)


def test_another_normalisation_would_be_seen(tmp_path: Path) -> None:
    trial = poses(tmp_path)
    name, network = trial.write(tmp_path / "own")
    task = load_task(name)

    def brighter(split: Split) -> Split:
        assert isinstance(split, TensorSplit)
        return replace(split, mean=tuple(value + 1 for value in split.mean))

    moved = replace(task, validation=brighter(task.validation), test=brighter(task.test), fingerprint="brighter")
    inside = metrics(moved, network, tmp_path / "home")
    apart = [abs(inside[figure] - wanted) for figure, wanted in trial.outside.figures.items()]
    assert max(apart) > 100 * CLOSE


def test_a_figure_that_is_apart_misses_its_bar() -> None:
    found = {"outside": {"r2-light_test": 0.9, "miou_test": 0.5}, "inside": {"r2-light_test": 0.9, "miou_test": 0.501}}
    assert [row.met for row in rows("drawn", found)] == [True, False]


@pytest.mark.slow
def test_a_search_measures_as_outside(tmp_path: Path) -> None:
    trial = poses(tmp_path)
    found = trial.search(tmp_path / "own")
    assert {name: found[name] for name in trial.outside.figures} == pytest.approx(trial.outside.figures, abs=CLOSE)
