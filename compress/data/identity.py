"""The identity of a user's data: a hash of images, targets, goal and augmentation, and of the code behind both."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress.data.augmentation import Augment, Augmentation
from compress.data.own_images import Held, Source
from compress.goals import Goal
from compress.goals.goal import widened
from compress.own_code import source

_AT_ONCE = 512
SAMPLE = 500
"""Images of each split by which a streamed set is identified, evenly spread."""
Digests = list[bytes]


def sample(part: Source) -> tuple[NDArray[np.int64], Tensor]:
    """Return positions and images (n, C, H, W) that identify a split: all of a split in memory, else `SAMPLE`."""
    count = len(part.targets)
    if isinstance(part, Held):
        return np.arange(count), part.images
    at = np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.int64))
    return at, part.read(at)


def digests(images: Tensor) -> Digests:
    """Return a hash of each of the images (N, C, H, W)."""
    rows = images.numpy()
    return [hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest() for row in rows]


def fingerprint(about: str, parts: Sequence[tuple[Tensor, Digests]]) -> str:
    """Return the sha256 of `about`, and of the targets and the images' hashes of all splits."""
    whole = hashlib.sha256(about.encode())
    for number, (targets, known) in enumerate(parts):
        whole.update(f"{number} {tuple(targets.shape)} {widened(targets[:1]).dtype} ".encode())
        for some in torch.split(targets, _AT_ONCE):  # as int64, however few bytes they are kept in
            whole.update(widened(some).numpy().tobytes())
        whole.update(b"".join(known))
    return whole.hexdigest()


def about(goal: Goal, augment: Augmentation) -> str:
    """Return the settings of goal and augmentation on which a trained network depends, with a user's own code."""
    own = "" if type(goal).__module__.startswith("compress.goals") else code_of(type(goal))
    if isinstance(augment, Augment):
        return f"{goal.settings()} {own} {augment.padding} {augment.flip}"
    return f"{goal.settings()} {own} {augment.name} {code_of(augment.function)}"


def overlaps(known: dict[str, Digests]) -> list[str]:
    """Return a sentence for every two splits with equal images."""
    found, names = [], list(known)
    for place, name in enumerate(names):
        for other in names[:place]:
            before = set(known[other])
            same = sum(one in before for one in known[name])
            if same:
                found.append(f"{same:,} of {len(known[name]):,} {name} images are in {other} too")
    return found


def code_of(thing: Any) -> str:
    """Return a hash of the source of a function or a class, or of an object's class, of a user's own; "" for others."""
    made = thing if inspect.isroutine(thing) or isinstance(thing, type) else type(thing)
    module = sys.modules.get(str(getattr(made, "__module__", "")))
    if module is None or module.__name__.partition(".")[0] in ("torch", "torchvision"):
        return ""
    if getattr(module, "__file__", None):
        return source(module)
    try:
        text = inspect.getsource(made)  # of a notebook's cell
    except (OSError, TypeError):
        code = getattr(made, "__code__", None)
        text = "" if code is None else f"{code.co_code!r} {code.co_consts!r}"
    return hashlib.sha256(re.sub(r" at 0x[0-9a-fA-F]+", "", text).encode()).hexdigest()
