"""The size of a folder's images, and their channels, decided by the headers of the files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple, final

from PIL import Image

from compress.data.folder.images import orientation_of

LARGEST = 224
"""Largest shorter side in pixels of a decoded image."""
LONGEST = 2 * LARGEST
"""Largest longer side."""
SAMPLE = 1000
"""Headers read to decide the size, evenly spread over training: a million headers would take minutes."""
SAME_ASPECT = 1.02
"""Greatest ratio of two images' aspects that are taken for the same."""


@final
class Size(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


def typical_size(paths: Sequence[str]) -> int:
    """Return the median of the images' shorter sides, at most `LARGEST`, from the headers of `SAMPLE` of `paths`."""
    return _shorter(_sizes(paths))


def common_size(paths: Sequence[str]) -> Size:
    """Return the images' typical size: a rectangle where the sampled images share their aspect, else a square.

    The shorter side is the median of the images', at most `LARGEST`; the longer side is at most `LONGEST`.
    """
    sizes = _sizes(paths)
    side = _shorter(sizes)
    aspects = sorted(size.width / size.height for size in sizes)
    if not aspects or aspects[-1] > SAME_ASPECT * aspects[0]:
        return Size(side, side)
    if len(set(sizes)) == 1 and side == min(sizes[0]) and max(sizes[0]) <= LONGEST:
        return sizes[0]
    aspect = aspects[(len(aspects) - 1) // 2]
    side = max(1, min(side, int(LONGEST / max(aspect, 1 / aspect))))
    return Size(side, round(side * aspect)) if aspect >= 1 else Size(round(side / aspect), side)


def channels_of(paths: Sequence[str]) -> int:
    """Return 1 if all readable images at `paths` are greyscale, by their headers, else 3."""
    return 1 if all(mode == "L" for mode, _ in _headers(paths)) else 3


def _shorter(sizes: Sequence[Size]) -> int:
    sides = sorted(min(size) for size in sizes)
    return min(sides[(len(sides) - 1) // 2], LARGEST) if sides else 1


def _sizes(paths: Sequence[str]) -> list[Size]:
    step = max(1, -(-len(paths) // SAMPLE))
    return [size for _, size in _headers(paths[::step])]


def _headers(paths: Sequence[str]) -> Iterator[tuple[str, Size]]:
    """Yield mode and upright size of every readable image."""
    for path in paths:
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
                turned = orientation_of(image) in SIDEWAYS and image.format != "TIFF"
                width, height = image.size[::-1] if turned else image.size
                about = image.mode, Size(height, width)
        except Exception:  # the image is counted and named once decoded
            continue
        yield about


SIDEWAYS = range(5, 9)
"""EXIF orientations that swap height and width."""
