"""Whole numbers of targets: in memory as small as they fit, in a batch int64.

A segmentation has a number a pixel; other goals have a few an image, and keep int64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compress.goals.goal import Goal, widened
from compress.goals.segmentation import Segmentation

_TYPES = (torch.uint8, torch.int8, torch.int16, torch.int32)
"""Types for the classes, smallest first. Torch computes little with the larger unsigned types."""


def kept(goal: Goal, targets: Tensor) -> Tensor:
    """Return targets `(N, ...)` as they are kept: of a segmentation in the smallest type, other whole numbers as int64.

    The type holds the number of classes and the ignored number, so comparisons with either are exact. Targets beyond
    become int64, as do those of a user's subclass of `Segmentation`.
    """
    if targets.is_floating_point() or type(goal) is not Segmentation or targets.numel() == 0:
        return widened(targets)
    numbers = (0, goal.outputs, goal.ignored)
    fitting = (one for one in _TYPES if all(torch.iinfo(one).min <= n <= torch.iinfo(one).max for n in numbers))
    small = next(fitting, torch.int64)
    least, most = (int(one) for one in targets.aminmax())
    fits = torch.iinfo(small).min <= least and most <= torch.iinfo(small).max
    return targets.to(small) if fits else widened(targets)
