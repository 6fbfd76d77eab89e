"""scikit-learn's digits, 60 / 20 / 20 %: classes, or each digit turned by an angle that is to be told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compress.data.assembly import Parts, from_arrays, hold_out
from compress.data.augmentation import Augment
from compress.data.splits import DataError
from compress.goals import Classification, Regression

MOST_DEGREES = 45.0
"""Greatest angle by which a digit is turned, either way."""


def digit_parts() -> Parts:
    """Return the digits with their classes."""
    images, labels = _read()
    parts = [(images[part], labels[part]) for part in _places(labels)]
    return from_arrays(parts, Classification(tuple(map(str, range(10)))), Augment(1, False))


def angle_parts() -> Parts:
    """Return the digits, each turned once with a fixed seed, and the angles (N, 1) in degrees, counter-clockwise.

    A digit is turned about its centre, bilinear, on black. A crop leaves the angle; a flip would not.
    """
    images, labels = _read()
    angles = np.random.RandomState(0).uniform(-MOST_DEGREES, MOST_DEGREES, len(images)).astype(np.float32)
    turned = np.stack([_turned(image[0], float(angle))[None] for image, angle in zip(images, angles, strict=True)])
    parts = [(turned[part], angles[part, None]) for part in _places(labels)]
    return from_arrays(parts, Regression(("angle",), "degrees"), Augment(1, False))


def _turned(image: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    """Return an image (H, W) turned; values are raised to 0 to 240 meanwhile, for finer rounding."""
    fine = Image.fromarray(image * np.uint8(15)).rotate(angle, Image.Resampling.BILINEAR)
    return np.rint(np.asarray(fine) / 15).astype(np.uint8)


def _places(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    rest, test = hold_out(labels, 0.2)
    train, validation = (rest[part] for part in hold_out(labels[rest], 0.25))
    return train, validation, test


def _read() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    table = np.loadtxt(_file(), delimiter=",", dtype=np.int64)
    return table[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8), table[:, -1]


def _file() -> Path:
    """Return scikit-learn's table of digits, without an import of scikit-learn: over a second for every worker."""
    spec = find_spec("sklearn")
    places = spec.submodule_search_locations if spec else None
    file = Path(places[0]) / "datasets" / "data" / "digits.csv.gz" if places else None
    if file is None or not file.exists():
        raise DataError("digits: scikit-learn must be installed with its data, its digits.csv.gz was not found")
    return file
