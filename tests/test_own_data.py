"""A network trained outside, with a pipeline of its own, scores the same through a task: to the last image.

Drawn parts of 48 x 64 pixels, a ring or a ring with a gap; one of six has the gap. The outside figure is F1 as
torchmetrics has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import paretune
from compress.data.tasks import Task, load_task
from compress.machine.vision import import_torchmetrics
from compress.measure import grade

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-own-work.md").read_text()
(PARTS,) = re.findall(r"`parts.py` is\n\n```python\n(.*?)```", PAGE, re.DOTALL)
(TOML,) = re.findall(r"```toml\n(size.*?)```", PAGE, re.DOTALL)
CLASSES = ("good", "bad")
MEAN, STD = 99.2, 71.5
Drawn = tuple[NDArray[np.uint8], NDArray[np.int64]]


def drawn(count: int, seed: int) -> Drawn:
    random = np.random.RandomState(seed)
    rows, columns = np.mgrid[:48, :64]
    images, labels = np.zeros((count, 48, 64), np.uint8), np.arange(count) % 6 // 5
    for number, label in enumerate(labels):
        y, x, radius, gap = random.uniform((20, 26, 10, -2), (28, 38, 16, 2))
        ring = np.abs(np.hypot(rows - y, columns - x) - radius) < 3
        if label:
            ring &= np.abs(np.arctan2(rows - y, columns - x) - gap) > 0.5
        images[number] = np.clip(ring * 150 + 40 + random.normal(0, 15, ring.shape), 0, 255)
    return images, labels


@dataclass(frozen=True)
class Outside:
    """A network, the drawn splits, and the network's classes and F1 on test."""

    network: nn.Module
    parts: dict[str, Drawn]
    classes: Tensor
    f1: float


def prepared(images: NDArray[np.uint8]) -> Tensor:
    return (torch.from_numpy(images)[:, None].float() - MEAN) / STD


@pytest.fixture(scope="module")
def outside() -> Outside:
    parts = {"train": drawn(240, 0), "validation": drawn(60, 1), "test": drawn(90, 2)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            *(nn.Conv2d(1, 8, 5, stride=3), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 7 * 9, 2)),
        )
        images, labels = prepared(parts["train"][0]), torch.from_numpy(parts["train"][1])
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        for _ in range(12):
            for at in torch.split(torch.randperm(len(labels)), 32):
                optimizer.zero_grad()
                weight = torch.tensor([1.0, 5.0])
                loss: Any = nn.functional.cross_entropy(network(images[at]), labels[at], weight)
                loss.backward()
                optimizer.step()
    metric = import_torchmetrics().classification.MulticlassF1Score(2, average="macro")
    with torch.no_grad():
        found = network.eval()(prepared(parts["test"][0])).argmax(1)
    metric.update(found, torch.from_numpy(parts["test"][1]))
    return Outside(network, parts, found, metric.compute().item())


def arrays(outside: Outside, folder: Path) -> Task:
    goal = paretune.Classification(CLASSES, quality="f1", weights=(1.0, 5.0))
    parts: dict[str, Any] = {**outside.parts}
    return paretune.make_task(goal, **parts, mean=MEAN, std=STD, augment=paretune.Augment(6, True))


def floats(outside: Outside, folder: Path) -> Task:
    ready: dict[str, Any] = {name: (prepared(images), labels) for name, (images, labels) in outside.parts.items()}
    return paretune.make_task(paretune.Classification(CLASSES, quality="f1"), **ready, normalise=False)


def files(outside: Outside, folder: Path) -> Task:
    for part, (images, labels) in outside.parts.items():
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / {"validation": "val"}.get(part, part) / f"{label} {CLASSES[label]}" / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    (folder / "task.toml").write_text(f'mean = {MEAN}\nstd = {STD}\nvalidation = "val"\nquality = "f1"\n')
    return load_task(f"folder:{folder}")


@pytest.mark.parametrize("make", [arrays, floats, files])
def test_the_outside_figure_is_met_to_the_last_image(make: Any, outside: Outside, tmp_path: Path) -> None:
    task = make(outside, tmp_path)
    assert task.shape == (1, 48, 64)
    with torch.no_grad():
        batches = list(task.test.batches(32))
        found = torch.cat([outside.network(batch.images).argmax(1) for batch in batches])
    classes, wanted = torch.cat([batch.targets for batch in batches]), torch.from_numpy(outside.parts["test"][1])
    order = classes.argsort(stable=True) if make is files else torch.arange(len(classes))
    same = wanted.argsort(stable=True) if make is files else order
    assert torch.equal(found[order], outside.classes[same])
    assert torch.equal(classes[order], wanted[same])
    _, metrics = grade(outside.network, task, task.test)
    assert metrics["f1"] == pytest.approx(outside.f1, abs=1e-6)
    assert 0.55 < outside.f1 < 0.95, "a figure that images could move"


def test_the_line_says_what_is_done(outside: Outside, tmp_path: Path) -> None:
    line = arrays(outside, tmp_path).summary
    assert line == (
        "task: 2 classes, 240 / 60 / 90 images, 1 x 48 x 64 as they are, normalised by (99.2, 71.5), augmented by "
        "crop 6 and flip; quality: f1"
    )


def test_the_pages_function_makes_a_task(
    outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Callable[[str, str], None]
) -> None:
    source("parts.py", PARTS)
    for name, (images, labels) in outside.parts.items():
        np.savez(f"{name}.npz", images=images, labels=labels)
    task = load_task("parts.py:make", again=True)
    assert task.summary.startswith("parts.py:make: 2 classes, 240 / 60 / 90 images, 1 x 48 x 64 as they are")
    assert task.goal == paretune.Classification(CLASSES, "f1", (1.0, 5.0))


def test_the_pages_settings_of_a_folder_hold(outside: Outside, tmp_path: Path) -> None:
    files(outside, tmp_path)
    settings = TOML.replace("bad = 5", '"1 bad" = 5').replace('positive = "bad"', 'positive = "1 bad"')
    (tmp_path / "task.toml").write_text(settings)
    task = load_task(f"folder:{tmp_path}", again=True)
    assert (task.shape, task.mean, task.augment) == ((1, 48, 64), (99.2,), paretune.Augment(6, True))
    assert [meter.name for meter in task.goal.also_metrics()] == ["accuracy"]
