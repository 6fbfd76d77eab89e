"""Chen's row on a card, by torch alone: ResNet32x4 pruned to 95 %, recovered by FT and by KD; steps a second.

    python -m benchmarks.papers --gpu

Ten minutes: `BUDGET_S` seconds are shared by the training of the network and the two recoveries, which have the paper's
settings but for their number of epochs. Neither Ray, MLflow nor Optuna is imported. Without `PARETUNE_CIFAR`, a folder
with the published files of CIFAR-100, the images are made up: steps a second count then, accuracies do not.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.machine import machine
from compress.data.augmentation import Augment
from compress.data.make_task import make_task
from compress.data.tasks import Task, load_task
from compress.distill import KD
from compress.goals import Classification
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.folder import Store
from compress.training.loop import training_device
from spaces.papers.chen2021 import METHODS, PUBLISHED

CIFAR = "PARETUNE_CIFAR"
BUDGET_S = 480.0
MOST_EPOCHS = 240
IMAGES = 50_000
"""Made-up images, as many as CIFAR has for training."""
SPARSITY = 0.95
WAYS = ("FT", "KD")


def chen_row(results: Path) -> None:
    """Measure the row and write `chen2021-card.md`."""
    task, is_real = _task()
    torch.set_num_threads(os.cpu_count() or 1)
    second = _steps_a_second(task)
    epochs = max(1, min(MOST_EPOCHS, int(BUDGET_S / 3 * second / (len(task.train) / PUBLISHED.schooling.batch_size))))
    lines = [
        "# Chen 2021, Table 2, ResNet32x4 at 95 %: a row on a card",
        "",
        f"{machine()}. {'CIFAR-100' if is_real else 'Made-up images: accuracies mean nothing'}. Epochs of each "
        f"training: {epochs}, in the paper 240 and 120.",
        "",
        "| training | accuracy on test | seconds | steps a second |",
        "| -------- | ---------------: | ------: | -------------: |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for method in WAYS:
            recipe = _recipe(task, method, epochs)
            start = time.perf_counter()
            for point in Pipeline(task, Store(Path(folder))).run(recipe):
                taken = time.perf_counter() - start
                name = "unpruned" if point.sparsity == 0 else method
                if not (name == "unpruned" and method != WAYS[0]):
                    steps = epochs * -(-len(task.train) // PUBLISHED.schooling.batch_size)
                    accuracy = 100 * point.measured.score_test
                    lines.append(f"| {name} | {accuracy:.2f} | {taken:.0f} | {steps / taken:.1f} |")
                start = time.perf_counter()
    results.mkdir(parents=True, exist_ok=True)
    (results / "chen2021-card.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _recipe(task: Task, method: str, epochs: int) -> Recipe:
    distiller = METHODS[method]
    assert distiller is None or isinstance(distiller, KD)
    recovery = Recovery(replace(PUBLISHED.retraining, epochs=epochs), distiller=distiller)
    cut = Prune(L1Unstructured(), SPARSITY, OneShot(), recovery)
    return Recipe(task.name, Model("resnet32x4"), (Train(replace(PUBLISHED.schooling, epochs=epochs)), cut))


def _task() -> tuple[Task, bool]:
    """Return CIFAR-100 if it is there, else as many made-up images, and whether the images are real."""
    folder = os.environ.get(CIFAR)
    if folder:
        return load_task("cifar100", Path(folder)), True
    chance = torch.Generator().manual_seed(0)
    labels = torch.arange(IMAGES) % 100
    images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=chance)
    classes = tuple(f"class {number}" for number in range(100))
    return make_task(Classification(classes), (images, labels), name="made-up", augment=Augment(4, True)), False


def _steps_a_second(task: Task, steps: int = 30) -> float:
    """Return the steps a second of the network's training, forward, backward and update, in batches of the paper."""
    device, size = training_device(), PUBLISHED.schooling.batch_size
    model = Model("resnet32x4").build(task.outputs, task.channels).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, targets = torch.randn(size, *task.shape, device=device), torch.arange(size, device=device) % task.outputs
    start = 0.0
    for step in range(steps + 5):
        if step == 5:
            _wait(device)
            start = time.perf_counter()
        optimizer.zero_grad()
        task.goal.loss(model(images).float(), targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    _wait(device)
    return steps / (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
