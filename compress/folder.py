"""An image folder: what lies in `train/CLASS/*` and `test/CLASS/*`, and what its images are to become.

Images become S x S, where S is the shorter side of the first readable training image, at most 224; they are
greyscale if every one of them is (Pillow's mode L), else RGB.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compress.data import DataError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
LARGEST = 224


@final
@dataclass(frozen=True, eq=False)
class Listing:
    """What lies in an image folder: class names, and images sorted by class and name, training first.

    `paths` (N) and `labels` (N,) int64 count them all; the first `train_count` are for training.
    """

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    train_count: int


def list_images(root: Path) -> Listing:
    """List the images below `root`, in subfolders too; anything without one of `SUFFIXES` is passed over.

    DataError if `train/` or `test/` is missing or has no images, if a class of test is not in train, or if a
    class has fewer than 2 training images (one to train on, one to validate on).
    """
    who = f"folder:{root}"
    train, test = _by_class(who, root / "train"), _by_class(who, root / "test")
    classes = tuple(sorted(train))
    if strange := sorted(set(test) - set(classes)):
        raise DataError(f"{who}: every class of test/ must be in train/, got {', '.join(strange)}")
    for name in classes:
        if len(train[name]) < 2:
            raise DataError(f"{who}: a class needs at least 2 training images, got {len(train[name])} of {name}")
    rows = [
        (path, label) for part in (train, test) for label, name in enumerate(classes) for path in part.get(name, ())
    ]
    labels = np.array([label for _, label in rows], dtype=np.int64)
    return Listing(classes, tuple(path for path, _ in rows), labels, sum(map(len, train.values())))


def _by_class(who: str, part: Path) -> dict[str, list[str]]:
    if not os.path.isdir(part):  # also of a path that cannot be
        raise DataError(f"{who}: a folder {part.name}/ with one folder a class must be there, got none")
    folders = (entry for entry in part.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    found = {folder.name: _images_below(folder) for folder in folders}
    if not any(found.values()):
        raise DataError(f"{who}: {part.name}/CLASS/ must hold images ({' '.join(SUFFIXES)}), got none")
    return found


def _images_below(folder: Path) -> list[str]:
    # os.walk and plain strings: pathlib took 1 s longer over 60,000 images, whenever a cached set is opened.
    return sorted(
        os.path.join(below, name)
        for below, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES)
    )


def look_at(paths: Sequence[str]) -> tuple[int, int]:
    """Return the channels and the size that images at `paths` are decoded to, from their headers alone."""
    size = 0
    for path in paths:
        try:
            with Image.open(path) as image:
                size = size or min(*image.size, LARGEST)
                if image.mode != "L":
                    return 3, size
        except Exception:  # counted and named once it is decoded
            continue
    return 1, max(size, 1)
