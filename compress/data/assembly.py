"""Assemble a task's three parts, from arrays or from an image folder, decoded at once or as needed.

Validation is cut out of training, a tenth of every class, always the same images. Mean and deviation are measured on
the training part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from compress.data.augmentation import Augment
from compress.data.folder.images import AS_THEY_ARE
from compress.data.folder.pixel_cache import Facts
from compress.data.splits import Split, TensorSplit
from compress.data.survey import Moments, Part, fingerprint
from compress.goals import Goal

HELD_OUT = 0.1
"""Share of every class held out for validation, where a data set brings no validation part."""
Bytes = NDArray[np.uint8]
_Labels = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class Parts:
    """Training, validation and test as `splits`, facts about the images, and notes on files of a folder not read.

    `goal` and `augment` are a folder's, `prepared` the preparation of an image in words.
    """

    facts: Facts
    splits: Sequence[Split]
    goal: Goal
    augment: Augment
    notes: tuple[str, ...] = ()
    prepared: str = ""


def from_arrays(parts: Sequence[tuple[Bytes, NDArray[Any]]], goal: Goal, augment: Augment) -> Parts:
    """Take training, validation and test unchanged, each as images (N, C, H, W) uint8 and targets (N, ...)."""
    moments = Moments()
    channels, height, width = parts[0][0].shape[1:]
    blocks: list[Part] = [(blocks_of(images), targets) for images, targets in parts]
    about = f"{channels} {height} {augment.padding} {augment.flip}"
    if height != width or not goal.counts_right:
        about = f"{channels} {height} {width} {augment.padding} {augment.flip} {goal.settings()}"
    whole = fingerprint(blocks, about, moments)
    facts = Facts(channels, height, width, *moments.mean_and_std(), whole, AS_THEY_ARE)
    splits = tensor_splits(facts, parts)
    return Parts(facts, splits, goal.fitted(splits[0].targets), augment)


def blocks_of(images: Bytes) -> list[Bytes]:
    """Return images (N, C, H, W) in blocks of some thousand."""
    return np.array_split(images, -(-len(images) // 1024))


def tensor_splits(facts: Facts, parts: Sequence[tuple[Bytes, NDArray[Any]]]) -> list[Split]:
    """Return a split in memory for each part\'s images and targets."""
    return [
        TensorSplit(torch.from_numpy(targets), facts.mean, facts.std, torch.from_numpy(images))
        for images, targets in parts
    ]


def hold_out(labels: _Labels, share: float) -> tuple[_Labels, _Labels]:
    """Return rising positions to keep and to hold out: `share` of every class, at least 1 image, always the same.

    `labels` (N,); both results int64, disjoint, together all of 0 to N - 1.
    """
    random = np.random.RandomState(0)  # gives the same numbers in all versions of numpy, a Generator may not
    held = []
    for label in np.unique(labels):
        of_class = random.permutation(np.flatnonzero(labels == label))
        held.append(of_class[: max(1, round(share * len(of_class)))])
    chosen = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen
