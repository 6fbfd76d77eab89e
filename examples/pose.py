"""A pose regressor: read the angles of the two hands of a drawn dial, in degrees, with a small network.

The quality is the mean absolute error over both angles; each angle's own error is measured beside it. A larger network
of the house teaches the small one. The page of the documents is `docs/examples/pose.md`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import paretune

NAMES = ("long", "short")
SIDE = 24
REACH = 60
"""Each hand is turned by up to so many degrees from upright."""


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return images (N, 1, 24, 24) uint8 and the angles (N, 2) of the long and the short hand, in degrees."""
    random = np.random.default_rng(seed)
    angles = random.uniform(-REACH, REACH, (count, 2)).astype(np.float32)
    middle = SIDE / 2 + random.normal(0, 0.5, (2, count, 1, 1))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    images = random.normal(60, 12, (count, SIDE, SIDE))
    for hand, (length, thickness, light) in enumerate(((11, 0.8, 190), (6, 1.6, 150))):
        turned = np.deg2rad(angles[:, hand])[:, None, None]
        right, up = columns - middle[1], middle[0] - rows
        along, across = right * np.sin(turned) + up * np.cos(turned), right * np.cos(turned) - up * np.sin(turned)
        images += light * (along > 0) * (along < length) * np.exp(-((across / thickness) ** 2))
    return torch.from_numpy(images.clip(0, 255).astype(np.uint8))[:, None], torch.from_numpy(angles)


def task() -> paretune.Task:
    """Return the dials as a task: the quality is the mean absolute error in degrees."""
    goal = paretune.Regression(NAMES, unit="degrees", quality="mae", also=("mae-long", "mae-short"))
    return paretune.make_task(goal, draw(1200, 0), draw(400, 1), draw(400, 2), name="dial")
