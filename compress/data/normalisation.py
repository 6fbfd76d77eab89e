"""Mean and deviation by channel: given by a user, measured on float or uint8 images, or none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from compress.data.splits import DataError
from compress.errors import shortened

Numbers = float | Sequence[float]
"""One number, or one a channel."""
Channels = tuple[float, ...]


def normalisation(
    images: Tensor, channels: int, mean: Numbers | None, std: Numbers | None, *, normalise: bool
) -> tuple[Channels, Channels, str]:
    """Return mean and std for images (N, `channels`, H, W), and the request as text for a fingerprint.

    DataError for numbers that break a rule.
    """
    if (mean is None) != (std is None):
        raise DataError(f"mean and std: both must be given, or neither, got {'std' if mean is None else 'mean'} alone")
    if not normalise:
        if mean is not None:
            raise DataError(f"normalise: must be True with mean and std, got False with mean {mean}")
        return (0.0,) * channels, (1.0,) * channels, "as they come"
    if mean is None or std is None:
        return *_measured(images), "measured"
    centre, spread = _by_channel("mean", mean, channels), _by_channel("std", std, channels)
    if not all(value > 0 for value in spread):
        raise DataError(f"std: must be above 0, got {std}")
    if images.dtype == torch.uint8 and max(spread) <= 1:
        raise DataError(f"std: must be on the images' scale, 0 to 255, got {std}; multiply mean and std by 255")
    return centre, spread, f"{centre} {spread}"


def _by_channel(who: str, given: Numbers, channels: int) -> Channels:
    try:
        values = tuple(map(float, np.broadcast_to(np.asarray(given, dtype=np.float64), (channels,))))
    except (TypeError, ValueError) as error:
        raise DataError(shortened(f"{who}: must be a number, or {channels}, one a channel, got {given!r}")) from error
    if not all(map(math.isfinite, values)):
        raise DataError(shortened(f"{who}: must be finite, got {given!r}"))
    return values


def _measured(images: Tensor) -> tuple[Channels, Channels]:
    """Return mean and deviation by channel; the deviation of a constant channel is 1."""
    sums, squares, count = np.zeros(images.shape[1]), np.zeros(images.shape[1]), 0
    for some in torch.split(images, 1024):
        values = some.double()
        sums += values.sum((0, 2, 3)).numpy()
        squares += values.square().sum((0, 2, 3)).numpy()
        count += values[:, 0].numel()
    mean = sums / count
    variance = np.maximum(squares / count - mean**2, 0)
    std = np.where(variance > 1e-12 * np.maximum(mean**2, 1e-12), np.sqrt(variance), 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())
