"""The tasks a recipe can name: a data set with its three splits and how its images are augmented.

Validation is cut out of training, a tenth of every class, always the same images; test is the published one.
Mean and standard deviation are those of the training split.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress.data import Augment, DataError, Split, StreamSplit, TensorSplit, fits
from compress.folder import list_images, look_at
from compress.images import Files, check_readable, decode_blocks, read_images
from compress.published import read_published

_Bytes = NDArray[np.uint8]
_Labels = NDArray[np.int64]
_Part = tuple[_Bytes | Files, _Labels]
_Channels = tuple[float, ...]


@final
@dataclass(frozen=True, eq=False)
class Task:
    """A data set, ready to train on.

    Images are `channels` x `size` x `size`; `mean` and `std` per channel on their raw scale. `padding` and
    `flip` say how training augments. `fingerprint` is a sha256 of all images, labels and of the augmentation,
    not of names or places: equal fingerprints train equal models.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    padding: int
    flip: bool
    fingerprint: str
    train: Split = field(repr=False)
    validation: Split = field(repr=False)
    test: Split = field(repr=False)

    @property
    def augment(self) -> Augment:
        """How training shows the images."""
        return Augment(self.padding, self.flip)

    @property
    def summary(self) -> str:
        """One line for people: classes, image size, how many images, whether they are decoded as needed."""
        streamed = ", decoded as needed" if isinstance(self.train, StreamSplit) else ""
        return (
            f"{self.name}: {len(self.classes)} classes, "
            f"images {self.channels} x {self.size} x {self.size}{streamed}, "
            f"{len(self.train)} train, {len(self.validation)} validation, {len(self.test)} test"
        )

    @property
    def pixels(self) -> str:
        """What an image must be before its mean and deviation are taken, for people."""
        colour = f"{'grey' if self.channels == 1 else 'RGB'} from 0 to {16 if self.name == 'digits' else 255}"
        fitted = f", the shorter side resized to {self.size} pixels (bilinear) and the centre cropped"
        return colour + fitted * self.name.startswith(FOLDER)

    def to(self, device: torch.device | str) -> Task:
        """Return this task with the batches of all splits on `device`."""
        train, validation, test = (part.to(device) for part in (self.train, self.validation, self.test))
        return replace(self, train=train, validation=validation, test=test)


def load_task(
    name: str, data_dir: Path | None = None, cache_dir: Path | None = None, stream: bool | None = None
) -> Task:
    """Return the task `name`, on the CPU: one of `TASKS`, or `folder:PATH`. Loaded once a process.

    `data_dir` is where published sets lie or are downloaded to: PARETUNE_DATA unless given, else ./data.
    `cache_dir` keeps decoded folders: PARETUNE_CACHE unless given, else nothing is kept. `stream` says
    whether a folder is decoded as needed; by default where it takes a quarter of the free memory or more.
    DataError if the name is unknown, the files are not there, or they are not as they must be.
    """
    data = data_dir or Path(os.environ.get("PARETUNE_DATA") or "data")
    cache = cache_dir or (Path(kept) if (kept := os.environ.get("PARETUNE_CACHE")) else None)
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
    return _assemble("digits", [str(name) for name in range(10)], parts, Augment(1, False))


def _digits_file() -> Path:
    """The table scikit-learn ships; importing the package to read it would cost every worker over a second."""
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
"""Before the path of an image folder, in the name of its task."""
TASKS: dict[str, Callable[[Path], Task]] = {
    "digits": digits,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "fashion-mnist": fashion_mnist,
}


def _published(name: str, dataset: str, data_dir: Path) -> Task:
    """One of torchvision's; crop 4 and flip, as is usual for all of them."""
    classes, (images, labels), test = read_published(name, dataset, data_dir)
    kept, held = hold_out(labels, 0.1)
    parts = [(images[kept], labels[kept]), (images[held], labels[held]), test]
    return _assemble(name, classes, parts, Augment(4, True))


def _folder(name: str, cache_dir: Path | None, stream: bool | None) -> Task:
    root = Path(name.removeprefix(FOLDER)).expanduser()
    listing = list_images(root)
    channels, size = look_at(listing.paths)
    kept, held = hold_out(listing.labels[: listing.train_count], 0.1)
    places = (kept, held, np.arange(listing.train_count, len(listing.paths)))
    labels = [listing.labels[at] for at in places]
    files = [Files(tuple(listing.paths[i] for i in at), channels, size) for at in places]
    augment = Augment(size // 8, True)
    if stream is None:
        stream = not fits(len(listing.paths) * channels * size * size)
    if stream:
        return _assemble(name, listing.classes, list(zip(files, labels, strict=True)), augment)
    together = Files(sum((part.paths for part in files), ()), channels, size)
    images = np.split(read_images(name, together, cache_dir), np.cumsum([len(at) for at in places])[:2])
    return _assemble(name, listing.classes, list(zip(images, labels, strict=True)), augment)


def _assemble(name: str, classes: Sequence[str], parts: Sequence[_Part], augment: Augment) -> Task:
    first = parts[0][0]
    channels, size = (first.channels, first.size) if isinstance(first, Files) else first.shape[1:3]
    failures: list[str] = []
    blocks = [(_blocks(pixels, failures), labels) for pixels, labels in parts]
    mean, std, fingerprint = _survey(blocks, f"{channels} {size} {augment.padding} {augment.flip}")
    check_readable(name, failures, sum(len(labels) for _, labels in parts))
    train, validation, test = (_split(torch.from_numpy(labels), mean, std, pixels) for pixels, labels in parts)
    shown = (augment.padding, augment.flip, fingerprint)
    return Task(name, tuple(classes), channels, size, mean, std, *shown, train, validation, test)


def _blocks(pixels: _Bytes | Files, failures: list[str]) -> Iterable[_Bytes]:
    if isinstance(pixels, Files):
        return decode_blocks(pixels, failures)
    return np.array_split(pixels, -(-len(pixels) // 1024))


def _split(labels: Tensor, mean: _Channels, std: _Channels, pixels: _Bytes | Files) -> Split:
    if isinstance(pixels, Files):
        return StreamSplit(labels, mean, std, pixels)
    return TensorSplit(labels, mean, std, torch.from_numpy(pixels))


def hold_out(labels: _Labels, share: float) -> tuple[_Labels, _Labels]:
    """Return rising positions to keep and to hold out: `share` of every class, at least one, always the same.

    `labels` (N,); both results int64, disjoint, together all of 0 to N - 1.
    """
    random = np.random.RandomState(0)  # its stream is frozen over numpy's versions, Generator's is not
    held = []
    for label in np.unique(labels):
        of_class = random.permutation(np.flatnonzero(labels == label))
        held.append(of_class[: max(1, round(share * len(of_class)))])
    chosen = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def _survey(parts: Sequence[tuple[Iterable[_Bytes], _Labels]], about: str) -> tuple[_Channels, _Channels, str]:
    """Mean and std per channel of the first part, and the hash of all and `about`: one pass over blocks, exact."""
    digest = hashlib.sha256(about.encode())
    counts: NDArray[np.int64] | int = 0
    for number, (blocks, labels) in enumerate(parts):
        digest.update(f"{number} {len(labels)} ".encode() + labels.astype("<i8").tobytes())
        for block in blocks:
            digest.update(np.ascontiguousarray(block).data)
            if number == 0:
                counts = counts + np.stack([np.bincount(c.ravel(), minlength=256) for c in block.swapaxes(0, 1)])
    levels, total = np.arange(256), np.sum(counts, axis=-1)
    mean = (counts * levels).sum(-1) / total
    variance = (counts * levels**2).sum(-1) / total - mean**2
    std = np.where(variance > 0, np.sqrt(np.maximum(variance, 0)), 1.0)  # 1 where a channel never changes
    return tuple(mean.tolist()), tuple(std.tolist()), digest.hexdigest()
