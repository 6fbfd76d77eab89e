"""Assemble a task's three parts, from arrays or from an image folder, decoded at once or as needed.

Validation is cut out of training, a tenth of every class, always the same images. Mean and deviation are measured on
the training part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from compress.data.folders import Listing, channels_of, list_images, typical_size
from compress.data.images import AS_THEY_ARE, Files, Report, decode_all, decode_blocks
from compress.data.pixel_cache import Facts, FolderCache
from compress.data.splits import Augment, DataError, Split, StreamSplit, TensorSplit, fits
from compress.data.survey import Moments, Part, fingerprint

HELD_OUT = 0.1
"""Share of every class held out for validation, where a data set brings no validation part."""
_Bytes = NDArray[np.uint8]
_Labels = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class Parts:
    """Training, validation and test as `splits`, facts about the images, and notes on files of a folder not read."""

    facts: Facts
    splits: Sequence[Split]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def from_arrays(parts: Sequence[tuple[_Bytes, _Labels]], augment: Augment) -> Parts:
    """Take training, validation and test unchanged, each as images (N, C, H, W) uint8 and labels (N,)."""
    moments = Moments()
    channels, size = parts[0][0].shape[1:3]
    blocks: list[Part] = [(_blocks(images), labels) for images, labels in parts]
    whole = fingerprint(blocks, _about(channels, size, augment), moments)
    facts = Facts(channels, size, *moments.mean_and_std(), whole, AS_THEY_ARE)
    return Parts(facts, _tensor_splits(facts, parts))


def from_folder(who: str, root: Path, cache_dir: Path | None, stream: bool | None) -> Parts:
    """Read the images of a folder; with `stream` decode images as needed, by default where memory would be short.

    Keep facts and, unless streamed, decoded images in `cache_dir`. DataError if the folder breaks a rule of
    `list_images`, or an image is unreadable.
    """
    listing = list_images(root)
    cache = FolderCache(cache_dir, listing.key)
    if cache.facts() is not None:
        return _from_listing(who, listing, cache, stream)
    with cache.locked():
        return _from_listing(who, listing, cache, stream)


def _from_listing(who: str, listing: Listing, cache: FolderCache, stream: bool | None) -> Parts:
    known = cache.facts()
    channels, size = (known.channels, known.size) if known else _shape(listing)
    folder = _Folder(who, listing, channels, size)
    if stream is None:
        stream = not fits(len(listing.paths) * channels * size * size)
    facts, splits = folder.streamed(cache, known) if stream else folder.in_memory(cache, known)
    return Parts(facts, splits, listing.classes, listing.notes)


def _shape(listing: Listing) -> tuple[int, int]:
    return channels_of(listing.paths), typical_size(listing.paths[: listing.train_count])


@final
class _Folder:
    """The images of a listing in three parts, to be decoded as (channels, size, size)."""

    def __init__(self, who: str, listing: Listing, channels: int, size: int) -> None:
        rest, held = hold_out(listing.labels[: listing.train_count], HELD_OUT)
        places = (rest, held, np.arange(listing.train_count, len(listing.paths)))
        self.who, self.channels, self.size = who, channels, size
        self.labels = [listing.labels[at] for at in places]
        self.files = [Files(tuple(listing.paths[i] for i in at), channels, size) for at in places]
        self.ends = np.cumsum([len(at) for at in places])
        self.about = _about(channels, size, folder_augment(size))

    def streamed(self, cache: FolderCache, known: Facts | None) -> tuple[Facts, list[Split]]:
        if known is None:
            report = Report()
            known = self.survey([decode_blocks(part, report) for part in self.files], report)
            cache.write(known, None)
        rows = zip(self.files, self.labels, strict=True)
        return known, [StreamSplit(torch.from_numpy(labels), known.mean, known.std, part) for part, labels in rows]

    def in_memory(self, cache: FolderCache, known: Facts | None) -> tuple[Facts, list[Split]]:
        pixels = cache.pixels((self.ends[-1], self.channels, self.size, self.size)) if known else None
        if known is None or pixels is None or fingerprint(self.parts(pixels), self.about) != known.fingerprint:
            report = Report()
            pixels = decode_all(Files(sum((part.paths for part in self.files), ()), self.channels, self.size), report)
            known = self.survey([blocks for blocks, _ in self.parts(pixels)], report)
            cache.write(known, pixels)
        return known, _tensor_splits(known, list(zip(self.cut(pixels), self.labels, strict=True)))

    def cut(self, pixels: _Bytes) -> list[_Bytes]:
        """Images of all parts, by part."""
        return np.split(pixels, self.ends[:-1])

    def parts(self, pixels: _Bytes) -> list[Part]:
        """Images of all parts, as a survey reads them."""
        return [(_blocks(images), labels) for images, labels in zip(self.cut(pixels), self.labels, strict=True)]

    def survey(self, blocks: Sequence[Iterable[_Bytes]], report: Report) -> Facts:
        """Look through all images; DataError if some were unreadable."""
        moments = Moments()
        whole = fingerprint(list(zip(blocks, self.labels, strict=True)), self.about, moments)
        report.check(self.who, self.ends[-1])
        if moments.blank:
            why = "; their transparency is left out, so save them on a background" if report.made_opaque else ""
            raise DataError(f"{self.who}: images must show something, every pixel of train/ has the same colour{why}")
        shown = report.shown(int(self.ends[-1]), self.size)
        return Facts(self.channels, self.size, *moments.mean_and_std(), whole, shown)


def folder_augment(size: int) -> Augment:
    """Return the augmentation of an image folder: crop after a border of an eighth of the size, and flip."""
    return Augment(size // 8, True)


def _about(channels: int, size: int, augment: Augment) -> str:
    return f"{channels} {size} {augment.padding} {augment.flip}"


def _blocks(images: _Bytes) -> list[_Bytes]:
    return np.array_split(images, -(-len(images) // 1024))


def _tensor_splits(facts: Facts, parts: Sequence[tuple[_Bytes, _Labels]]) -> list[Split]:
    return [
        TensorSplit(torch.from_numpy(labels), facts.mean, facts.std, torch.from_numpy(images))
        for images, labels in parts
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
