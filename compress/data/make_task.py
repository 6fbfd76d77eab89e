"""Make a task of a user's data: tensors, arrays or data sets, with goal, normalisation and augmentation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress.data import identity
from compress.data.assembly import HELD_OUT, hold_out
from compress.data.augmentation import Augment, Augmentation, Transform
from compress.data.normalisation import Numbers, normalisation
from compress.data.own_images import Source, read
from compress.data.splits import DataError
from compress.data.tasks import Task
from compress.errors import shortened
from compress.goals import Classification, Goal, MultiLabel, Regression, Segmentation
from compress.goals.goal import widened
from compress.goals.targets import kept

TEST = 0.2
"""Share held out for test, of every class, where a user gives no test split."""
LEAST = 2
"""Least number of images in a split."""
COLOURS = {1: "grey", 3: "RGB"}
"""Names of an image's channels, by their number."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def make_task(
    goal: Goal,
    train: object,
    validation: object = None,
    test: object = None,
    *,
    name: str = "task",
    mean: Numbers | None = None,
    std: Numbers | None = None,
    normalise: bool = True,
    augment: Augment | Callable[..., Any] | None = None,
    stream: bool | None = None,
    fingerprint: str = "",
) -> Task:
    """Return a task of the user's own data.

    Each split is `(images, targets)`, tensors or arrays, or a map-style `Dataset` of `(image, target)`. Images are
    uint8 or floats, (N, C, H, W), or (N, H, W) for grey; an item of a `Dataset` may be an image of Pillow's. Height and
    width may differ. Targets are as the `goal` takes them. Without `test` a fifth of `train` is held out, without
    `validation` a tenth of the rest: of every class for a `Classification`, always the same images.

    Images are normalised by `mean` and `std`, one number or one a channel, on the images' own scale; left out, both are
    measured on the training images. With `normalise` False images stay as they come. `augment` changes training images:
    an `Augment`, a transform of torchvision's v2, or a function of a batch (see `Transform`). `stream` reads a
    `Dataset` as needed, by default only if memory would be short. `fingerprint` is any text that identifies the data;
    without a text all images are hashed, of a streamed set all targets and some hundred images.

    DataError, a ValueError, for data that break a rule, with the split's name.
    """
    if not isinstance(goal, Goal):
        raise DataError(shortened(f"goal: must be a goal such as Classification(('cat', 'dog')), got {goal!r}"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DataError(shortened(f"name: must be letters, digits, dots and dashes, got {name!r}"))
    given = {"train": train, "validation": validation, "test": test}
    parts = {who: _fitted(goal, who, read(who, data, stream)) for who, data in given.items() if data is not None}
    if "train" not in parts:
        raise DataError("train: must be (images, targets) or a Dataset, got None")
    _check_shapes(parts)
    _check_targets(goal, parts)
    _check_finite({who: identity.sample(part) for who, part in parts.items()})  # positions are those of the user's data
    notes = _hold_out(goal, parts)
    for who, part in parts.items():
        if len(part.targets) < LEAST:
            raise DataError(f"{who}: must have at least {LEAST} images, got {len(part.targets)}")
    shape = parts["train"].shape
    looked_at = {who: identity.sample(part)[1] for who, part in parts.items()}
    centre, spread, asked = normalisation(looked_at["train"], shape[0], mean, std, normalise=normalise)
    shown = _augmentation(goal, augment, parts["train"])
    about = f"own {shape} {looked_at['train'].dtype} {asked} {identity.about(goal, shown)}"
    if fingerprint:
        known = identity.fingerprint(f"{about} {fingerprint}", [])
        notes.append("the data are identified by the fingerprint given")
    else:
        hashed = {who: identity.digests(images) for who, images in looked_at.items()}
        known = identity.fingerprint(about, [(part.targets, hashed[who]) for who, part in parts.items()])
        notes += identity.overlaps(hashed)
        if any(len(looked_at[who]) < len(part.targets) for who, part in parts.items()):
            notes.append(f"the data are identified by all targets and {identity.SAMPLE} images of each split")
    splits = {who: parts[who].split(centre, spread) for who in given}
    return Task(
        name,
        goal.fitted(parts["train"].targets),
        shape,
        centre,
        spread,
        shown,
        known,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        notes=tuple(notes),
        prepared=_prepared(looked_at["train"]),
    )


def _fitted(goal: Goal, who: str, part: Source) -> Source:
    """Return the part with targets in the goal's form: a single column or map loses or gains its dimension."""
    targets = part.targets
    if isinstance(goal, MultiLabel | Regression):
        targets = targets.to(torch.float32)
        targets = targets[:, None] if targets.dim() == 1 else targets
    elif (isinstance(goal, Classification) and targets.dim() == 2 and targets.shape[1] == 1) or (
        isinstance(goal, Segmentation) and targets.dim() == 4 and targets.shape[1] == 1
    ):
        targets = targets[:, 0]
    targets = kept(goal, targets)
    if isinstance(goal, Segmentation) and targets.dim() == 3 and tuple(targets.shape[1:]) != part.shape[1:]:
        got, wanted = (" x ".join(map(str, sides)) for sides in (targets.shape[1:], part.shape[1:]))
        raise DataError(f"{who}: targets of a segmentation must be as large as the images, {wanted}, got {got}")
    return replace(part, targets=targets)


def _check_shapes(parts: dict[str, Source]) -> None:
    wanted = parts["train"].shape
    for who, part in parts.items():
        if part.shape != wanted:
            got, must = (" x ".join(map(str, shape)) for shape in (part.shape, wanted))
            raise DataError(f"{who}: images must have the shape of those of train, {must}, got {got}")


def _check_targets(goal: Goal, parts: dict[str, Source]) -> None:
    for who, part in parts.items():
        try:
            goal.check_targets(who, part.targets)
        except DataError:
            raise
        except ValueError as error:
            raise DataError(str(error)) from error


def _hold_out(goal: Goal, parts: dict[str, Source]) -> list[str]:
    """Fill in missing splits, in place, and return a sentence about test."""
    notes = []
    for who, share in (("test", TEST), ("validation", HELD_OUT)):
        if who in parts:
            continue
        whole = parts["train"]
        labels = whole.targets.numpy() if isinstance(goal, Classification) else np.zeros(len(whole.targets), np.int64)
        kept, held = hold_out(labels, share)
        parts["train"], parts[who] = whole.take(kept), whole.take(held)
        if isinstance(goal, Classification) and len(lost := np.setdiff1d(labels, labels[kept])):
            raise DataError(
                f"train: a class needs an image for each of train, validation and test, got a single one of "
                f"{goal.classes[lost[0]]}; give the splits yourself"
            )
        if who == "test":
            how = "of every class" if isinstance(goal, Classification) else "drawn once"
            notes.append(f"test: {len(held):,} of {len(labels):,} images held out of train, {how}")
    return notes


def _check_finite(samples: dict[str, tuple[NDArray[np.int64], Tensor]]) -> None:
    for who, (places, images) in samples.items():
        if images.dtype == torch.uint8:
            continue
        wrong = (~torch.isfinite(images.flatten(1)).all(1)).nonzero()[:, 0]
        if len(wrong):
            value = images[wrong[0]][~torch.isfinite(images[wrong[0]])][0]
            raise DataError(f"{who}: images must be finite, got {float(value)} in image {int(places[int(wrong[0])])}")


def _augmentation(goal: Goal, augment: object, train: Source) -> Augmentation:
    if augment is None:
        return Augment(0, False)
    if isinstance(augment, Augment):
        if augment.padding < 0:
            raise DataError(f"augment: padding must be at least 0, got {augment.padding}")
        return replace(augment, ignored=goal.ignored) if isinstance(goal, Segmentation) else augment
    if not callable(augment):
        raise DataError(
            shortened(f"augment: must be an Augment, a transform or a function of a batch, got {augment!r}")
        )
    shown = Transform(augment, masks=goal.dense and train.targets.dim() == 3)
    some = np.arange(min(4, len(train.targets)))
    try:
        shown.check(train.read(some), widened(train.targets[torch.from_numpy(some)]))
    except ValueError as error:
        raise DataError(str(error)) from error
    return shown


def _prepared(images: Tensor) -> str:
    """Return how an image comes, for an export's card."""
    if images.dtype == torch.uint8:
        return f"{COLOURS.get(images.shape[1], 'channels')} from 0 to 255, as the task gives them"
    low, high = float(images.min()), float(images.max())
    return f"floats as the task gives them, between {low:.4g} and {high:.4g} in training"
