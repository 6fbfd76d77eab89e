"""`task.toml` of an image folder: size, normalisation, augmentation, validation and goal, in the user's words."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from compress.data.augmentation import Augment
from compress.data.folder import toml_values as values
from compress.data.folder.toml_values import BALANCED
from compress.data.splits import DataError
from compress.errors import said
from compress.goals import Classification, Goal, MetricError, MultiLabel, Regression

FILE = "task.toml"
FITS = ("crop", "resize", "pad")


@final
@dataclass(frozen=True)
class FolderSettings:
    """What `task.toml` says; the defaults stand for a folder without the file.

    `size` is (height, width) in pixels, None for the typical size of the training images. `fit` brings an image to the
    size: crop (resized to cover, the centre kept), resize (both sides, on their own) or pad (resized to fit, on black).
    `mean` and `std` are one number or one a channel, from 0 to 255; left out, both are measured. Without `normalise`
    images stay as they come. `augment` is None for a crop after an eighth of the shorter side, and a flip.
    `validation` is the folder of validation images, "" to hold out of `train/`.

    `goal` is classification; regression or multilabel with values in `labels.csv`, in the `columns`, all if ().
    `quality`, `also`, `weights`, `smoothing`, `positive`, `loss` and `unit` go to the goal.
    """

    size: tuple[int, int] | None = None
    fit: str = "crop"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    normalise: bool = True
    augment: Augment | None = None
    validation: str = ""
    goal: str = Classification.name
    columns: tuple[str, ...] = ()
    unit: str = ""
    loss: str = "mse"
    quality: str = ""
    also: tuple[str, ...] = ()
    weights: str | dict[str, float] = ""
    smoothing: float = 0.0
    positive: str = ""

    @property
    def labelled(self) -> bool:
        """Whether targets come from `labels.csv`."""
        return self.goal != Classification.name

    def goal_of(self, who: str, names: tuple[str, ...], targets: NDArray[Any]) -> Goal:
        """Return the goal of classes or columns by `names`; DataError for settings that do not suit the goal.

        `targets` are those of training: (N,) classes for balanced weights, or (N, D) values.
        """
        quality = {"quality": self.quality} if self.quality else {}
        try:
            goal = self._goal(names, targets, {**quality, "also": self.also})
            if self.quality or self.also:
                goal.metric()
                goal.also_metrics()
        except MetricError as error:
            raise DataError(f"{who}: {error}") from error
        except ValueError as error:
            raise DataError(f"{who}: {FILE}: {error}") from error
        return goal

    def _goal(self, names: tuple[str, ...], targets: NDArray[Any], quality: dict[str, Any]) -> Goal:
        if self.goal == Classification.name:
            counts = np.bincount(targets, minlength=len(names)) if self.weights == BALANCED else None
            return Classification(
                names,
                weights=_weights(self.weights, names, counts),
                smoothing=self.smoothing,
                positive=self.positive or None,
                **quality,
            )
        if self.goal == MultiLabel.name:
            return MultiLabel(names, positive_weights=_weights(self.weights, names, None), **quality)
        return Regression(names, self.unit, self.loss, **quality)


def read_settings(who: str, root: Path) -> FolderSettings:
    """Read `root/task.toml`; without the file return the defaults. DataError, with the known keys, for a wrong file."""
    file = root / FILE
    who = f"{who}: {FILE}"
    try:
        file.stat()
    except (OSError, ValueError):  # no such file; what is wrong with the folder is told by its listing
        return FolderSettings()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # of TOML and of UTF-8 too
        raise DataError(f"{who}: must be a file of TOML, got {said(error)}") from error
    known = [each.name for each in fields(FolderSettings)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            meant = f"; {near[0]} is meant, perhaps" if near else ""
            raise DataError(f"{who}: unknown key {key!r}, known are {', '.join(known)}{meant}")
    found = FolderSettings(**{key: _READ[key](f"{who}: {key}", value) for key, value in table.items()})
    return _checked(who, found)


def _checked(who: str, found: FolderSettings) -> FolderSettings:
    """Return the settings, with a mean and a std that go together; DataError for keys that do not."""
    if (found.mean is None) != (found.std is None):
        raise DataError(f"{who}: mean and std must both be given, got {'std' if found.mean is None else 'mean'} alone")
    if found.std is not None and not min(found.std) > 0:
        raise DataError(f"{who}: std must be above 0, got {list(found.std)}")
    if found.std is not None and max(found.std) <= 1:
        raise DataError(f"{who}: std must be on the images' scale, 0 to 255, got {list(found.std)}; multiply by 255")
    if not found.normalise and found.mean is not None:
        raise DataError(f"{who}: normalise must be true with mean and std, got false")
    if not found.normalise:
        found = replace(found, mean=(0.0,), std=(1.0,))
    of = {
        "columns": found.labelled,
        "unit": found.goal == Regression.name,
        "loss": found.goal == Regression.name,
        "weights": found.goal != Regression.name,
        "smoothing": not found.labelled,
        "positive": not found.labelled,
    }
    for key, suits in of.items():
        if getattr(found, key) != getattr(FolderSettings(), key) and not suits:
            raise DataError(f"{who}: {key} must be left out for a {found.goal}, got {getattr(found, key)!r}")
    if found.weights == BALANCED and found.labelled:
        raise DataError(f"{who}: weights must be a number for each of the labels, got {BALANCED!r}")
    return found


def _weights(
    given: str | dict[str, float], names: tuple[str, ...], counts: NDArray[np.int64] | None
) -> tuple[float, ...] | None:
    if not given:
        return None
    if counts is not None:
        return tuple((counts.sum() / (len(names) * np.maximum(counts, 1))).tolist())
    assert isinstance(given, dict)
    if strange := [name for name in given if name not in names]:
        raise ValueError(f"weights: unknown {strange[0]!r}, known are {', '.join(names)}")
    return tuple(given.get(name, 1.0) for name in names)


_READ: dict[str, Callable[[str, Any], Any]] = {
    "size": values.size,
    "fit": values.one_of(*FITS),
    "mean": values.numbers,
    "std": values.numbers,
    "normalise": values.truth,
    "augment": values.augment,
    "validation": values.folder,
    "goal": values.one_of(Classification.name, Regression.name, MultiLabel.name),
    "columns": values.words,
    "unit": values.word,
    "loss": values.one_of("mse", "smooth-l1", "l1"),
    "quality": values.word,
    "also": values.words,
    "weights": values.weights,
    "smoothing": values.number,
    "positive": values.word,
}
