"""Single training steps to be timed: random images, networks that look trained, one epoch of one batch."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from compress.data.splits import Augment, Batch, TensorSplit
from compress.data.tasks import Task
from compress.goals import Classification
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import OneShot, Pruner
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.folder import Store
from compress.training.loop import Loss, fit
from compress.training.settings import Training

AUGMENT = Augment(4, True)
CLASSES = 100
LITTLE = 1e-6
"""A learning rate that changes nothing much."""
RECOVERY_STEPS = 10
"""Of one recovery, for hooks that do not act at every step."""

Cases = dict[str, Callable[[], float | None]]
"""By name: what is timed, or what times itself and returns the seconds."""
Times = dict[str, list[float]]


def random_images(channels: int, size: int, number: int) -> TensorSplit:
    """Uint8 noise with labels that go round the classes."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (number, channels, size, size), dtype=torch.uint8, generator=generator)
    return TensorSplit(torch.arange(number) % CLASSES, (127.5,) * channels, (73.9,) * channels, images)


def built(model: Model, split: TensorSplit) -> nn.Module:
    """An untrained network whose BN statistics are those of the images, as a trained one's are."""
    module = model.build(CLASSES, split.images.shape[1])
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the running statistics become those of the one batch
    with torch.no_grad():
        module.train()(whole(split).images[:32])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return module.eval()


def whole(split: TensorSplit) -> Batch:
    """All its images as they are."""
    return next(split.batches(len(split)))


def trained(loss: Loss, split: TensorSplit, seed: int = 0) -> Callable[[], None]:
    """One step of the house's loop."""
    training = Training(epochs=1, lr=LITTLE, batch_size=len(split))

    def train() -> None:
        fit(loss, split, training, seed=seed, augment=AUGMENT)

    return train


def recovering(method: type[Pruner], student: Model, split: TensorSplit, home: Path) -> Callable[[], float]:
    """Seconds of a recovery's step under the method, which removes next to nothing: other levels, other recoveries."""
    (channels, size), batch = split.images.shape[1:3], len(split)
    many, few = (random_images(channels, size, number) for number in (RECOVERY_STEPS * batch, 1))
    goal, about = Classification(tuple(map(str, range(CLASSES)))), (split.mean, split.std, AUGMENT)
    task = Task("noise", goal, (channels, size, size), *about, f"noise {channels} {size} {batch}", many, few, few)
    training = Training(epochs=1, lr=LITTLE, batch_size=batch)
    levels, make = itertools.count(1), cast(Any, method)

    def step() -> float:
        pipeline = Pipeline(task, Store(home))
        level = next(levels) * 1e-6
        if method.adaptive:
            cut = Prune(make(tolerance=level, rounds=1), recovery=Recovery(training))
        else:
            cut = Prune(make(), level, OneShot(), Recovery(training))
        points = pipeline.run(Recipe(task.name, student, (Train(training), cut)))
        next(points)
        before = pipeline.spent.get("train", 0.0)
        list(points)
        return (pipeline.spent["train"] - before) / RECOVERY_STEPS

    return step


def timed(cases: Cases, rounds: int) -> Times:
    """Seconds of every case in each round, after one call of each to warm up."""
    order = list(cases)
    times: Times = {name: [] for name in cases}
    shuffled = random.Random(0)
    for number in range(rounds + 1):
        shuffled.shuffle(order)
        for name in order:
            start = time.perf_counter()
            own = cases[name]()
            if number:
                times[name].append(time.perf_counter() - start if own is None else own)
    return times
