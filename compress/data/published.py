"""Published data sets, read by torchvision and downloaded if missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compress.data.splits import DataError
from compress.machine.vision import import_torchvision

_Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]

_FILES = {
    "CIFAR10": "cifar-10-python.tar.gz, or the folder cifar-10-batches-py it unpacks to,",
    "CIFAR100": "cifar-100-python.tar.gz, or the folder cifar-100-python it unpacks to,",
    "FashionMNIST": "FashionMNIST/raw/ with {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz",
}


def read_published(name: str, dataset: str, data_dir: Path) -> tuple[tuple[str, ...], _Labelled, _Labelled]:
    """Return the class names, and the images (N, C, H, W) uint8 and labels (N,) int64 of train and of test.

    `dataset` is the name of torchvision's class. DataError names the files and their folder if `data_dir` lacks them
    and the download fails, or if a file is damaged.
    """
    load = getattr(import_torchvision().datasets, dataset)
    try:
        both = [load(data_dir, train=train) for train in (True, False)]
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:  # damaged files
        raise DataError(
            f"{name}: {_FILES[dataset]} must lie whole in {data_dir}, got {type(error).__name__} on reading; "
            "remove the unpacked files"
        ) from error
    except RuntimeError:
        existed = data_dir.exists()
        try:
            with _locked(data_dir):  # the trials of a node start at once and would write into the same file
                both = [load(data_dir, train=train, download=True) for train in (True, False)]
        except (OSError, RuntimeError) as error:
            if not existed:
                _sweep(data_dir)
            raise DataError(
                f"{name}: {_FILES[dataset]} must lie in {data_dir}, got none that is whole, "
                f"and the download failed ({' '.join(str(error).split())})"
            ) from error
    train, test = ((_channels_first(np.asarray(part.data)), np.asarray(part.targets, np.int64)) for part in both)
    return tuple(both[0].classes), train, test


def _channels_first(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images[:, None] if images.ndim == 3 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl  # missing on Windows, where all other tasks work

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".download.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path) -> None:
    """Remove the lock and the empty folders left by a failed download, nothing else."""
    (folder / ".download.lock").unlink(missing_ok=True)
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        with suppress(OSError):
            path.rmdir()
