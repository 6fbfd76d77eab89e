"""Networks trained outside in plain torch, and their figures: Paretune must measure the same of the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.goals.cases import HEADS, TRAIN, UNIT, VALIDATION, VALUES
from compress.data.make_task import make_task
from compress.data.tasks import Task
from compress.goals import Regression, Segmentation

Arrays = tuple[NDArray[np.generic], NDArray[np.generic]]
"""Images and targets of a split."""
SHAPES = ("ground", "square", "disc")
SIDES = (24, 32)
"""Height and width of drawn images."""


class PoseNet(nn.Module):
    """Three convolutions and a linear layer of values, for images (B, C, H, W)."""

    def __init__(self, outputs: int, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_block(channels, 8), *_block(8, 16, 2), *_block(16, 24, 2))
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.flatten = nn.Flatten()
        self.values = nn.Linear(96, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to values (B, outputs)."""
        values: Tensor = self.values(self.flatten(self.pool(self.features(images))))
        return values


class ShapeNet(nn.Module):
    """Three convolutions and a convolution that gives logits a pixel, for images (B, C, H, W)."""

    def __init__(self, outputs: int, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_block(channels, 8), *_block(8, 12), *_block(12, 12))
        self.pixels = nn.Conv2d(12, outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to logits (B, outputs, H, W)."""
        logits: Tensor = self.pixels(self.features(images))
        return logits


@dataclass(frozen=True)
class Outside:
    """A trained network and its figures by name, such as `r2-light_test`; `splits` are train, validation and test."""

    network: nn.Module
    figures: Mapping[str, float]
    splits: tuple[Arrays, Arrays, Arrays]
    normalisation: tuple[float, float] | None = None

    def task(self, goal: Regression | Segmentation, name: str) -> Task:
        """Return the same data as a task, with the same normalisation."""
        mean, std = self.normalisation or (None, None)
        return make_task(goal, *self.splits, name=name, mean=mean, std=std, normalise=self.normalisation is not None)


def pose_outside(images: NDArray[np.uint8], values: NDArray[np.float32], epochs: int) -> Outside:
    """Train a `PoseNet` on images (N, H, W) from 0 to 255 and values (N, D); figures are R2 by value.

    Pixels are divided by 255, then normalised by the mean and the deviation of the training images.
    """
    parts = np.split(np.random.RandomState(1).permutation(len(images)), _ends(len(images)))
    train, validation, test = ((images[part], values[part]) for part in parts)
    mean, std = float(np.mean(train[0] / 255)), float(np.std(train[0] / 255))

    def ready(some: Arrays) -> Tensor:
        return ((torch.from_numpy(some[0]).float() / 255 - mean) / std)[:, None]

    network = PoseNet(values.shape[1], 1)
    _train(network, ready(train), torch.from_numpy(train[1]), functional.mse_loss, epochs)
    figures: dict[str, float] = {}
    for name, some in (("validation", validation), ("test", test)):
        answers = _answers(network, ready(some)).double().numpy()
        wrong = np.square(answers - some[1]).sum(0) / np.square(some[1] - some[1].mean(0, dtype=np.float64)).sum(0)
        figures |= {f"r2-{value}_{name}": float(1 - share) for value, share in zip(VALUES, wrong, strict=False)}
    return Outside(network, figures, (train, validation, test), (255 * mean, 255 * std))


def shapes_outside(count: int, epochs: int) -> Outside:
    """Train a `ShapeNet` on drawn images; the figure is the mean over classes of intersection over union."""
    images, targets = drawn_shapes(count)
    ends = _ends(count)
    train, validation, test = zip(np.split(images, ends), np.split(targets, ends), strict=True)
    network = ShapeNet(len(SHAPES), 1)
    _train(network, torch.from_numpy(train[0]), torch.from_numpy(train[1]), functional.cross_entropy, epochs)
    figures = {}
    for name, some in (("validation", validation), ("test", test)):
        answers = _answers(network, torch.from_numpy(some[0])).argmax(1).numpy()
        hits = [(answers == place) & (some[1] == place) for place in range(len(SHAPES))]
        either = [(answers == place) | (some[1] == place) for place in range(len(SHAPES))]
        shares = [float(hit.sum() / one.sum()) for hit, one in zip(hits, either, strict=True)]
        figures[f"miou_{name}"] = sum(shares) / len(shares)
    return Outside(network, figures, (train, validation, test))


def pose_task(file: str) -> Task:
    """Return the task of `pose_outside` on the heads of an `.npz` file, with R2 of each value."""
    with np.load(file) as found:
        outside = pose_outside(found["images"], found["pose"], 0)
    return outside.task(Regression(VALUES, UNIT, also=tuple(f"r2-{name}" for name in VALUES)), HEADS)


def shapes_task(count: int) -> Task:
    """Return the task of `shapes_outside`."""
    return shapes_outside(count, 0).task(Segmentation(SHAPES), "shapes")


def drawn_shapes(count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images (N, 1, 24, 32) of a square and a disc on noise, and the class of each pixel (N, 24, 32)."""
    random = np.random.RandomState(0)
    rows, columns = np.mgrid[: SIDES[0], : SIDES[1]]
    targets = np.zeros((count, *SIDES), np.int64)
    for one in targets:
        (top, left), side = random.randint(0, 14, 2), random.randint(5, 10)
        one[top : top + side, left : left + side] = 1
        y, x, radius = random.randint(5, 19), random.randint(5, 27), random.randint(3, 6)
        one[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = 2
    images = random.normal(0, 0.4, (count, 1, *SIDES)) + (targets[:, None] > 0)
    return images.astype(np.float32), targets


def _ends(count: int) -> tuple[int, int]:
    train = count * TRAIN // (TRAIN + 2 * VALIDATION)
    return train, train + (count - train) // 2


def _block(channels: int, outer: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()


def _train(
    network: nn.Module, images: Tensor, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor], epochs: int
) -> None:
    """Train by AdamW in batches of 32, in place."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        network.train()
        for part in torch.randperm(len(images), generator=generator).split(32):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            loss(network(images[part]), targets[part]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    network.eval()


def _answers(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        answers: Tensor = network(images)
    return answers
