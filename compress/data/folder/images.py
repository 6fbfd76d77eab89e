"""Decode an image file: turn the image upright, bring all images to the same size.

Every image becomes C x H x W: resized (bilinear) to cover and cropped at the centre, or as `fit` says. Of a file with
several pictures, like a TIFF of many pages, the first is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from compress.data.splits import DataError
from compress.data.survey import Counts

_Bytes = NDArray[np.uint8]
AS_THEY_ARE = "as they are"
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The turn making an image upright, by its EXIF orientation; orientation 1 is upright."""
_BILINEAR = Image.Resampling.BILINEAR
_FIT: dict[str, Callable[[Image.Image, tuple[int, int]], Image.Image]] = {
    "crop": lambda image, size: ImageOps.fit(image, size, _BILINEAR),
    "resize": lambda image, size: image.resize(size, _BILINEAR),
    "pad": lambda image, size: ImageOps.pad(image, size, _BILINEAR),
}


@final
class Picture(NamedTuple):
    """A decoded image: `pixels` (channels, height, width), whether `turned` upright, resized or cropped to fit, and
    whether transparency was left out. `counts` (channels, 256) tells how often each value occurs, None if not counted.
    """

    pixels: _Bytes
    turned: bool
    fitted: bool
    opaque: bool
    counts: Counts | None = None


@final
@dataclass(frozen=True)
class Files(Dataset[Tensor]):
    """Images to be decoded: item i is `paths[i]` as a tensor (channels, height, width) uint8.

    `fit` is crop (resized to cover, the centre kept), resize (each side on its own) or pad (resized to fit, on black).
    """

    paths: tuple[str, ...]
    channels: int
    height: int
    width: int
    fit: str = "crop"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(self.decode(self.paths[index]).pixels)

    @property
    def preparation(self) -> str:
        """How an image is brought to its size, in words."""
        if self.fit == "resize":
            return f"resized to {self.height} x {self.width} pixels (bilinear)"
        if self.fit == "pad":
            return f"resized to fit within {self.height} x {self.width} pixels (bilinear), on black"
        if self.height == self.width:
            return f"the shorter side resized to {self.width} pixels (bilinear) and the centre cropped"
        return f"resized to cover {self.height} x {self.width} pixels (bilinear) and the centre cropped"

    def decode(self, path: str, *, count: bool = False) -> Picture:
        """Decode an image, and with `count` count its values.

        Any error of Pillow's is raised unchanged, ValueError for more than 8 bits a channel.
        """
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:  # odd palettes and metadata warn
            if image.mode[0] in "IF":
                raise ValueError(f"mode {image.mode} is not 8 bits a channel; save it with 8")
            opaque = not image.has_transparency_data or _is_opaque(image)
            plain = image.convert("L" if self.channels == 1 else "RGB")
            turn = _orientation(plain)
        upright = plain if turn is None else plain.transpose(turn)
        size = self.width, self.height
        fitted = upright.size != size
        if fitted:
            upright = _FIT[self.fit](upright, size)
        pixels = np.asarray(upright, dtype=np.uint8).reshape(self.height, self.width, self.channels)
        own = np.array(pixels.transpose(2, 0, 1), order="C")  # a copy: Pillow's own memory is read-only
        counts = np.array(upright.histogram()).reshape(self.channels, -1) if count else None
        return Picture(own, turn is not None, fitted, opaque, counts)


def _is_opaque(image: Image.Image) -> bool:
    """Whether no pixel of an image with an alpha channel, or with transparent colours, is transparent at all."""
    lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
    return lowest == 255


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """Return the turn asked for by EXIF or XMP, None for upright images. Pillow turns a TIFF itself on loading."""
    return _UPRIGHT.get(orientation_of(image))


def orientation_of(image: Image.Image) -> int:
    """Return an image's EXIF orientation, 1 for upright and without any."""
    try:
        return int(image.getexif()[ExifTags.Base.Orientation])
    except Exception:  # damaged metadata raise half a dozen types, and spoil no pixel
        return 1


@final
@dataclass
class Report:
    """Counts over decoded images: reasons of failures; images turned upright, resized or cropped, made opaque.

    `values` (channels, 256) tells how often each value occurs in all images, 0 before the first. `refused` is the error
    number of a disk that took no pixels, else 0.
    """

    failures: list[str] = field(default_factory=list)
    turned: int = 0
    fitted: int = 0
    made_opaque: int = 0
    values: Counts | int = 0
    refused: int = 0

    def add(self, other: Report) -> None:
        """Add the counts of other images."""
        self.failures += other.failures
        self.turned += other.turned
        self.fitted += other.fitted
        self.made_opaque += other.made_opaque
        self.values = self.values + other.values

    def check(self, who: str, count: int) -> None:
        """Raise DataError if any of `count` images failed, with the number of failures and the first five names."""
        if self.failures:
            more = ", ..." if len(self.failures) > 5 else ""
            named = ", ".join(self.failures[:5])
            raise DataError(f"{who}: images must be readable, {len(self.failures)} of {count} are not: {named}{more}")

    def shown(self, count: int, files: Files) -> str:
        """Return in words how `count` images were brought to the size of `files`."""
        turned = f", {self.turned:,} turned upright" if self.turned else ""
        turned += f", transparency of {self.made_opaque:,} left out" if self.made_opaque else ""
        if not self.fitted:
            return AS_THEY_ARE + turned
        some = f" (but {count - self.fitted:,} that are so)" if self.fitted < count else ""
        how = {
            "crop": f"with the shorter side resized to {files.width} and the centre cropped",
            "resize": "each side resized",
            "pad": "resized to fit, on black",
        }[files.fit]
        if files.fit == "crop" and files.height != files.width:
            how = "resized to cover and the centre cropped"
        return f"{how}{some}{turned}"
