"""Tasks by name: a data set with three splits, and the augmentation of its images.

Validation is cut out of training, a tenth of every class, always the same images; test is the published test split.
Digits has no published splits and is cut 60 / 20 / 20 %. Mean and deviation are measured on the training split.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import final

import numpy as np
import torch

from compress.data.assembly import HELD_OUT, Parts, folder_augment, from_arrays, from_folder, hold_out
from compress.data.images import AS_THEY_ARE
from compress.data.published import read_published
from compress.data.splits import Augment, DataError, Split, StreamSplit
from compress.data.walk import printable
from compress.goals import Classification, Goal, quality_of
from compress.quality import Quality


@final
@dataclass(frozen=True, eq=False)
class Task:
    """A data set, ready to train on.

    `goal` says what the targets mean. Images have the `shape` (channels, height, width); `mean` and `std` are per
    channel, on their raw scale. `augment` changes the training images. `fingerprint` is a sha256 of all images, targets
    and of the augmentation, not of names or places: equal fingerprints train equal models. For people, `images`
    describes how the images were brought to the same size, and `notes` name everything in a folder not read.
    """

    name: str
    goal: Goal
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augment
    fingerprint: str
    train: Split = field(repr=False)
    validation: Split = field(repr=False)
    test: Split = field(repr=False)
    images: str = AS_THEY_ARE
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, () where the goal has none."""
        return self.goal.classes

    @property
    def outputs(self) -> int:
        """Number of outputs of a network."""
        return self.goal.outputs

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.shape[0]

    @cached_property
    def quality(self) -> Quality:
        """The goal's quality, scaled by the best constant answer on validation; MetricError if the metric fails."""
        return quality_of(self.goal, self.validation.targets.cpu())

    @property
    def summary(self) -> str:
        """A line for people: classes, numbers of images for training, validation and test, and their preparation."""
        streamed = ", decoded as needed" if isinstance(self.train, StreamSplit) else ""
        counts = " / ".join(f"{len(part):,}" for part in (self.train, self.validation, self.test))
        normal = ", ".join(f"({mean:.1f}, {std:.1f})" for mean, std in zip(self.mean, self.std, strict=True))
        return (
            f"{printable(self.name)}: {self.goal.summary}, {counts} images, "
            f"{' x '.join(map(str, self.shape))} {self.images}{streamed}, normalised by {normal}, "
            f"{self.augment.summary}{self._one_image}"
        )

    @property
    def opening(self) -> str:
        """The `summary` and all notes, for a line at the beginning of a search."""
        return "; ".join((self.summary, *self.notes))

    @property
    def _one_image(self) -> str:
        """What one validation image is worth, where the quality is accuracy."""
        worth = f"; validation: one image is {100 / len(self.validation):.2f} points"
        return worth if self.goal.counts_right else f"; quality: {self.goal.metric().name}"

    @property
    def pixels(self) -> str:
        """Format of an image before normalisation, in words."""
        colour = f"{'grey' if self.channels == 1 else 'RGB'} from 0 to {16 if self.name == 'digits' else 255}"
        fitted = (
            f", upright, the shorter side resized to {min(self.shape[1:])} pixels (bilinear) and the centre cropped"
        )
        return colour + fitted * self.name.startswith(FOLDER)

    def to(self, device: torch.device | str) -> Task:
        """Return the same task with the batches of all splits on `device`."""
        train, validation, test = (part.to(device) for part in (self.train, self.validation, self.test))
        return replace(self, train=train, validation=validation, test=test)


def load_task(
    name: str,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    stream: bool | None = None,
    *,
    again: bool = False,
) -> Task:
    """Return the task `name` of `TASKS`, or `folder:PATH`, on the CPU. A task is loaded once a process.

    `data_dir` is the folder of published sets, for downloads too: by default PARETUNE_DATA, else ./data. `cache_dir`
    keeps decoded folders: by default PARETUNE_CACHE, else nothing is kept. `stream` decodes a folder's images as
    needed; by default only if the folder would take a quarter of the free memory or more. `again` lists a folder anew:
    its files may have changed. DataError if the name is unknown, or files are missing or break a rule.
    """
    data = data_dir or Path(os.environ.get("PARETUNE_DATA") or "data")
    cache = cache_dir or (Path(kept) if (kept := os.environ.get("PARETUNE_CACHE")) else None)
    if again and name.startswith(FOLDER):
        _load.cache_clear()
    return _load(name, data.absolute(), cache and cache.absolute(), stream)


@lru_cache(maxsize=8)
def _load(name: str, data_dir: Path, cache_dir: Path | None, stream: bool | None) -> Task:
    if name.startswith(FOLDER):
        return _folder(name, cache_dir, stream)
    if name not in TASKS:
        raise DataError(f"task: unknown {name!r}, known are {', '.join(sorted(TASKS))} and folder:PATH")
    return TASKS[name](data_dir)


def digits(data_dir: Path) -> Task:
    """scikit-learn's 1,797 handwritten digits, 8 x 8, values 0 to 16: split 60 / 20 / 20 %."""
    table = np.loadtxt(_digits_file(), delimiter=",", dtype=np.int64)
    images, labels = table[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8), table[:, -1]
    rest, test = hold_out(labels, 0.2)
    train, validation = (rest[part] for part in hold_out(labels[rest], 0.25))
    parts = [(images[part], labels[part]) for part in (train, validation, test)]
    augment = Augment(1, False)
    return _task("digits", [str(name) for name in range(10)], from_arrays(parts, augment), augment)


def _digits_file() -> Path:
    """Return scikit-learn's table of digits, without an import of scikit-learn: over a second for every worker."""
    spec = find_spec("sklearn")
    places = spec.submodule_search_locations if spec else None
    file = Path(places[0]) / "datasets" / "data" / "digits.csv.gz" if places else None
    if file is None or not file.exists():
        raise DataError("digits: scikit-learn must be installed with its data, its digits.csv.gz was not found")
    return file


def cifar10(data_dir: Path) -> Task:
    """CIFAR-10: 60,000 photographs of 10 classes, 3 x 32 x 32. https://www.cs.toronto.edu/~kriz/cifar.html."""
    return _published("cifar10", "CIFAR10", data_dir)


def cifar100(data_dir: Path) -> Task:
    """CIFAR-100: 60,000 photographs of 100 classes, 3 x 32 x 32."""
    return _published("cifar100", "CIFAR100", data_dir)


def fashion_mnist(data_dir: Path) -> Task:
    """Fashion-MNIST: 70,000 articles of clothing, 10 classes, 1 x 28 x 28. https://arxiv.org/abs/1708.07747."""
    return _published("fashion-mnist", "FashionMNIST", data_dir)


FOLDER = "folder:"
"""Prefix of a task's name, before the path of an image folder."""
TASKS: dict[str, Callable[[Path], Task]] = {
    "digits": digits,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "fashion-mnist": fashion_mnist,
}


def _published(name: str, dataset: str, data_dir: Path) -> Task:
    """Read a data set of torchvision's; crop 4 and flip, as is usual for each of `TASKS`."""
    classes, (images, labels), test = read_published(name, dataset, data_dir)
    kept, held = hold_out(labels, HELD_OUT)
    parts = [(images[kept], labels[kept]), (images[held], labels[held]), test]
    augment = Augment(4, True)
    return _task(name, classes, from_arrays(parts, augment), augment)


def _folder(name: str, cache_dir: Path | None, stream: bool | None) -> Task:
    root = Path(name.removeprefix(FOLDER)).expanduser()
    parts = from_folder(printable(name), root, cache_dir, stream)
    return _task(name, parts.classes, parts, folder_augment(parts.facts.size))


def _task(name: str, classes: Sequence[str], parts: Parts, augment: Augment) -> Task:
    facts = parts.facts
    train, validation, test = parts.splits
    return Task(
        name,
        Classification(tuple(classes)),
        (facts.channels, facts.size, facts.size),
        facts.mean,
        facts.std,
        augment,
        facts.fingerprint,
        train,
        validation,
        test,
        facts.images,
        parts.notes,
    )
