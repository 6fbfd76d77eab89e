"""Single training steps to be timed: random images, networks that look trained, one epoch of one batch."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from compress.data import Augment, Batch, TensorSplit
from compress.models import Model
from compress.train import Hook, Loss, fit
from compress.training import Training

AUGMENT = Augment(4, True)
CLASSES = 100

Cases = dict[str, Callable[[], object]]
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


def trained(loss: Loss, split: TensorSplit, hooks: Sequence[Hook] = (), seed: int = 0) -> Callable[[], None]:
    """One step of the house's loop, at a rate that changes nothing much."""
    training = Training(epochs=1, lr=1e-6, batch_size=len(split))
    return lambda: fit(loss, split, training, seed=seed, augment=AUGMENT, hooks=hooks)


def timed(cases: Cases, rounds: int) -> Times:
    """Seconds of every case in each round, after one call of each to warm up."""
    order = list(cases)
    times: Times = {name: [] for name in cases}
    shuffled = random.Random(0)
    for number in range(rounds + 1):
        shuffled.shuffle(order)
        for name in order:
            start = time.perf_counter()
            cases[name]()
            if number:
                times[name].append(time.perf_counter() - start)
    return times
