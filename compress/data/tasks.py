"""Tasks by name: a data set with three splits, and the augmentation of its images.

Validation is cut out of training, a tenth of every class, always the same images; test is the published test split.
Digits has no published splits and is cut 60 / 20 / 20 % (`digits.py`). Mean and deviation are measured on the training
split. A user's own data are `folder:PATH`, or a task that `make_task.py` makes in a function of the user's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import final

import torch

from compress.data.assembly import HELD_OUT, Parts, from_arrays, hold_out
from compress.data.augmentation import Augmentation
from compress.data.digits import angle_parts, digit_parts
from compress.data.few_images import few, named, split_name
from compress.data.folder.images import AS_THEY_ARE
from compress.data.folder.parts import from_folder
from compress.data.folder.walk import printable
from compress.data.own_task import OBJECT, from_function, is_function, offered, title
from compress.data.published import read_published
from compress.data.splits import Augment, DataError, Split, StreamSplit
from compress.errors import near
from compress.goals import Classification, Goal, quality_of
from compress.quality import Quality


@final
@dataclass(frozen=True, eq=False)
class Task:
    """A data set, ready to train on.

    `goal` says what the targets mean. Images have the `shape` (channels, height, width); `mean` and `std` are per
    channel, on their raw scale. `augment` changes the training images. `fingerprint` is a sha256 of all images, targets
    and of the augmentation, not of names or places: equal fingerprints train equal models. For people, `images`
    describes how the images were brought to the same size, `notes` name everything in a folder not read, and `prepared`
    describes an image before normalisation, "" for the whole scale of a published set.
    """

    name: str
    goal: Goal
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augmentation
    fingerprint: str
    train: Split = field(repr=False)
    validation: Split = field(repr=False)
    test: Split = field(repr=False)
    images: str = AS_THEY_ARE
    notes: tuple[str, ...] = ()
    prepared: str = ""

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
        return (
            f"{printable(title(self.name))}: {self.goal.summary}, {counts} images, "
            f"{' x '.join(map(str, self.shape))} {self.images}{streamed}, {self._normalisation}, "
            f"{self.augment.summary}{self._one_image}"
        )

    @property
    def opening(self) -> str:
        """The `summary` and all notes, for a line at the beginning of a search."""
        return "; ".join((self.summary, *self.notes))

    @property
    def _normalisation(self) -> str:
        if set(self.mean) == {0.0} and set(self.std) == {1.0}:
            return "not normalised"
        digits = ".1f" if min(self.std) >= 1 else ".3g"
        pairs = (f"({mean:{digits}}, {std:{digits}})" for mean, std in zip(self.mean, self.std, strict=True))
        return f"normalised by {', '.join(pairs)}"

    @property
    def _one_image(self) -> str:
        """What one validation image is worth, where the quality is accuracy."""
        worth = f"; validation: one image is {100 / len(self.validation):.2f} points"
        return worth if self.goal.counts_right else f"; quality: {self.goal.quality_said}"

    @property
    def pixels(self) -> str:
        """Format of an image before normalisation, in words."""
        if self.prepared:
            return self.prepared
        return f"{'grey' if self.channels == 1 else 'RGB'} from 0 to {16 if self.name.startswith('digits') else 255}"

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
    begun: str | tuple[int, int, int] | None = None,
) -> Task:
    """Return the task `name` on the CPU: of `TASKS`, `folder:PATH`, or a user's function, `FILE.py:NAME` or
    `package.module:NAME`, or few images of one, `first:COUNT:TASK`. A task is loaded once a process.

    `data_dir` is the folder of published sets, for downloads too: by default PARETUNE_DATA, else ./data. `cache_dir`
    keeps decoded folders: by default PARETUNE_CACHE, else nothing is kept. `stream` decodes a folder's images as
    needed; by default only if the folder would take a quarter of the free memory or more. `again` lists a folder anew,
    or calls the function again. `begun` is the fingerprint of a study's beginning, or the shape of an export's images:
    earlier versions made squares of every folder's images, and a study of squares gets squares. DataError if the name
    is unknown, or files are missing or break a rule.
    """
    count, whole = split_name(name)
    if count is not None:
        return few(load_task(whole, data_dir, cache_dir, stream, again=again), count)
    data = data_dir or Path(os.environ.get("PARETUNE_DATA") or "data")
    cache = cache_dir or (Path(kept) if (kept := os.environ.get("PARETUNE_CACHE")) else None)
    if name.startswith(OBJECT):
        return offered(name)
    if again and name not in TASKS:
        _load.cache_clear()
    task = _load(name, data.absolute(), cache and cache.absolute(), stream)
    if name.startswith(FOLDER) and begun not in (None, task.fingerprint, task.shape):
        squares = _load(name, data.absolute(), cache and cache.absolute(), stream, square=True)
        return squares if begun in (squares.fingerprint, squares.shape) else task
    return task


@lru_cache(maxsize=8)
def _load(name: str, data_dir: Path, cache_dir: Path | None, stream: bool | None, square: bool = False) -> Task:
    if name.startswith(FOLDER):
        return _folder(name, cache_dir, stream, square=square)
    if is_function(name):
        return from_function(name)
    if name not in TASKS:
        known = f"{near(name, TASKS)}known are {', '.join(sorted(TASKS))}"
        raise DataError(f"task: unknown {name!r}, {known}, folder:PATH and FILE.py:NAME of a function")
    return TASKS[name](data_dir)


def digits(data_dir: Path) -> Task:
    """scikit-learn's 1,797 handwritten digits, 8 x 8, values 0 to 16: split 60 / 20 / 20 %."""
    return _task("digits", digit_parts())


def digits_angle(data_dir: Path) -> Task:
    """The digits, each turned once by an angle drawn from -45 to 45 degrees; the angle is to be told (regression)."""
    return _task("digits-angle", angle_parts())


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
    "digits-angle": digits_angle,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "fashion-mnist": fashion_mnist,
}


def shown(task: str) -> str:
    """Return a task's name without the folders of its machine."""
    count, whole = split_name(task)
    name = FOLDER + whole.rpartition("/")[2] if whole.startswith(FOLDER) else title(whole)
    return name if count is None else named(name, count)


def _published(name: str, dataset: str, data_dir: Path) -> Task:
    """Read a data set of torchvision's; crop 4 and flip, as is usual for each of `TASKS`."""
    classes, (images, labels), test = read_published(name, dataset, data_dir)
    kept, held = hold_out(labels, HELD_OUT)
    parts = [(images[kept], labels[kept]), (images[held], labels[held]), test]
    return _task(name, from_arrays(parts, Classification(tuple(classes)), Augment(4, True)))


def _folder(name: str, cache_dir: Path | None, stream: bool | None, *, square: bool) -> Task:
    root = Path(name.removeprefix(FOLDER)).expanduser()
    return _task(name, from_folder(printable(name), root, cache_dir, stream, square=square))


def _task(name: str, parts: Parts) -> Task:
    facts = parts.facts
    train, validation, test = parts.splits
    return Task(
        name,
        parts.goal,
        (facts.channels, facts.height, facts.width),
        facts.mean,
        facts.std,
        parts.augment,
        facts.fingerprint,
        train,
        validation,
        test,
        facts.images,
        parts.notes,
        parts.prepared,
    )
