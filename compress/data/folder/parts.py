"""The parts of an image folder: listed, decoded at once or as needed, and prepared as `task.toml` says."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from compress.data.assembly import HELD_OUT, Bytes, Parts, blocks_of, hold_out, tensor_splits
from compress.data.augmentation import Augment
from compress.data.folder.decoding import Target, TimeLeft, decode_blocks
from compress.data.folder.image_sizes import Size, channels_of, common_size, typical_size
from compress.data.folder.images import Files, Report
from compress.data.folder.labelled import list_labelled
from compress.data.folder.listing import Listing, list_images
from compress.data.folder.pixel_cache import ROOM, Facts, FolderCache, sample
from compress.data.folder.settings import FILE as TOML
from compress.data.folder.settings import FolderSettings, read_settings
from compress.data.splits import DataError, Split, StreamSplit, fits
from compress.data.survey import Moments, Part, fingerprint
from compress.goals import Classification, Goal

WHOLE_BYTES = 2**31
"""Size of kept pixels up to which all are compared with their fingerprint whenever they are read."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SAID_BYTES = 2**30
"""Size of kept pixels from which a user is told where they are."""
_log = logging.getLogger(__name__)
Decoded = tuple[Facts, Bytes | None]
"""Facts about the images, and the pixels of all, (N, C, H, W); None if they are decoded as needed."""


def from_folder(who: str, root: Path, cache_dir: Path | None, stream: bool | None, *, square: bool = False) -> Parts:
    """Read the images of a folder; with `stream` decode images as needed, by default where memory and disk are short.

    Keep facts and, unless streamed, decoded images in `cache_dir`, mapped into memory from there. With `square` images
    of one aspect become squares, as in earlier versions. DataError if the folder breaks a rule of `list_images` or
    `task.toml`, or an image is unreadable.
    """
    settings = read_settings(who, root)
    if settings.labelled:
        listing = list_labelled(root, settings.validation, settings.columns)
    else:
        listing = list_images(root, settings.validation)
    folder = _Folder(who, listing, settings, square=square)
    cache = FolderCache(cache_dir, folder.key)
    known = folder.kept(cache, stream)
    if known is None:
        with cache.locked():  # another process may have decoded all by now
            known = folder.kept(cache, stream) or folder.decoded(cache, stream)
    return folder.parts(known)


@final
class _Folder:
    """The images of a listing in three parts, to be decoded as the settings say."""

    def __init__(self, who: str, listing: Listing, settings: FolderSettings, *, square: bool) -> None:
        train, labels = listing.train_count, listing.labels
        self.who, self.listing, self.settings = who, listing, settings
        self.places = _places(listing)
        self.labels = [labels[at] for at in self.places]
        self.ends = np.cumsum([len(at) for at in self.places])
        training = listing.paths[:train]
        sides = Size(*settings.size) if settings.size else common_size(training)
        if square and settings.size is None:
            sides = Size(*(typical_size(training),) * 2)
        self.height, self.width = sides
        self.goal = settings.goal_of(who, listing.classes, labels[:train])
        for part, known in zip(("train", "validation", "test"), self.labels, strict=True):
            try:
                self.goal.check_targets(f"{who}: {part}", torch.from_numpy(known))
            except ValueError as error:
                raise DataError(str(error)) from error
        self.augment = settings.augment or folder_augment(min(sides))
        self.key = (
            listing.key if self.is_plain else hashlib.sha256(f"{listing.key} {self.said}".encode()).hexdigest()[:32]
        )

    @property
    def is_plain(self) -> bool:
        """Whether images, goal and augmentation are as in versions without `task.toml`."""
        plain = self.settings.mean is None and self.augment == folder_augment(self.height)
        return plain and self.height == self.width and self.settings.fit == "crop" and self.goal == _plain(self.listing)

    @property
    def said(self) -> str:
        """All settings on which images and training depend, as text."""
        settings, augment = self.settings, self.augment
        return (
            f"{self.height} {self.width} {settings.fit} {settings.mean} {settings.std} {settings.validation} "
            f"{augment.padding} {augment.flip} {self.goal.settings()}"
        )

    def parts(self, known: Decoded) -> Parts:
        """Return the parts, given what is known of the images."""
        facts, pixels = known
        if pixels is None:
            rows = zip(self.files, self.labels, strict=True)
            splits: list[Split] = [
                StreamSplit(torch.from_numpy(labels), facts.mean, facts.std, files) for files, labels in rows
            ]
        else:
            splits = tensor_splits(facts, list(zip(self.cut(pixels), self.labels, strict=True)))
        colours = "grey" if facts.channels == 1 else "RGB"
        prepared = f"{colours} from 0 to 255, upright, {self.files[0].preparation}"
        return Parts(facts, splits, self.goal.fitted(splits[0].targets), self.augment, self.listing.notes, prepared)

    def kept(self, cache: FolderCache, stream: bool | None) -> Decoded | None:
        """Return what the cache has of the images, None if they must be looked through."""
        facts = cache.facts()
        if facts is None:
            return None
        self.prepare(facts.channels)
        pixels = None if stream else cache.pixels(self.shape)
        if pixels is not None and self.is_whole(pixels, facts):
            return facts, pixels
        return (facts, None) if self.is_streamed(cache, stream) else None

    def decoded(self, cache: FolderCache, stream: bool | None) -> Decoded:
        """Look through all images, and keep what there is room for."""
        self.prepare(channels_of(self.listing.paths))
        size = prod(self.shape)
        if self.is_streamed(cache, stream):
            return self.looked_through(cache)
        if not cache.has_room(size):
            return self.in_memory()
        if size > SAID_BYTES:
            told = f"{self.shape[0]:,}", f"{size / 1e9:,.1f} GB", cache.folder
            _log.warning("images: %s are decoded once, into %s at %s", *told)
        try:
            with cache.filling(self.shape) as target:
                facts = self.survey(lambda block: None, target)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _log.warning("images: cannot be kept at %s: %s", cache.folder, error.strerror)
            return self.in_memory() if fits(size) else self.looked_through(cache)
        pixels = cache.pixels(self.shape)
        if pixels is None:  # removed by another process, or not to be mapped
            return self.in_memory() if fits(size) else self.looked_through(cache)
        facts = replace(facts, sample=sample(pixels))
        cache.write(facts)
        return facts, pixels

    def looked_through(self, cache: FolderCache) -> Decoded:
        """Look through all images, which are decoded again as needed."""
        facts = self.survey(lambda block: None)
        cache.write(facts)
        return facts, None

    def in_memory(self) -> Decoded:
        """Decode all images into memory."""
        pixels, place = np.empty(self.shape, dtype=np.uint8), 0

        def keep(block: Bytes) -> None:
            nonlocal place
            pixels[place : place + len(block)] = block
            place += len(block)

        return self.survey(keep), pixels

    def prepare(self, channels: int) -> None:
        """Take note of the number of channels."""
        size = channels, self.height, self.width, self.settings.fit
        self.files = [Files(tuple(self.listing.paths[i] for i in at), *size) for at in self.places]
        self.shape = int(self.ends[-1]), channels, self.height, self.width
        self.about = f"{channels} {self.height} {self.augment.padding} {self.augment.flip}"
        if not self.is_plain:
            self.about = f"folder {channels} {self.said}"

    def is_streamed(self, cache: FolderCache, stream: bool | None) -> bool:
        """Return whether images are decoded as needed: as asked for, else where memory and disk are short."""
        size = prod(self.shape)
        return stream if stream is not None else not (fits(size) or cache.has_room(size, ROOM))

    def is_whole(self, pixels: Bytes, facts: Facts) -> bool:
        """Return whether kept pixels are those of the facts; of a large file, going by a sample of the images."""
        if facts.sample and pixels.nbytes > WHOLE_BYTES:
            return sample(pixels) == facts.sample
        return fingerprint(self.blocks(pixels), self.about) == facts.fingerprint

    def cut(self, pixels: Bytes) -> list[Bytes]:
        """Images of all parts, by part."""
        return np.split(pixels, self.ends[:-1])

    def blocks(self, pixels: Bytes) -> list[Part]:
        """Images of all parts, as a survey reads them."""
        return [(blocks_of(images), labels) for images, labels in zip(self.cut(pixels), self.labels, strict=True)]

    def survey(self, keep: Callable[[Bytes], object], target: Target | None = None) -> Facts:
        """Decode all images, a block at a time for `keep`, or into `target`; DataError if some were unreadable."""
        reports, first, left = [Report() for _ in self.files], self.files[0], TimeLeft(self.shape[0])

        def blocks(files: Files, report: Report, first: int) -> Iterator[Bytes]:
            for block in decode_blocks(files, report, target, first):
                keep(block)
                yield block
                left.after(len(block))

        begins = (0, *(int(end) for end in self.ends[:-1]))
        parts = [blocks(*one) for one in zip(self.files, reports, begins, strict=True)]
        whole = fingerprint(list(zip(parts, self.labels, strict=True)), self.about)
        report = Report()
        for of_part in reports:
            report.add(of_part)
        report.check(self.who, self.shape[0])
        moments = Moments()
        moments.add_counts(np.asarray(reports[0].values))
        if moments.blank:
            why = "; their transparency is left out, so save them on a background" if report.made_opaque else ""
            raise DataError(f"{self.who}: images must show something, every pixel of train/ has the same colour{why}")
        mean, std = moments.mean_and_std()
        if self.settings.mean is not None and self.settings.std is not None:
            mean, std = (self.by_channel(values) for values in (self.settings.mean, self.settings.std))
        shown = report.shown(self.shape[0], first)
        return Facts(first.channels, self.height, self.width, mean, std, whole, shown)

    def by_channel(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return one value a channel."""
        channels = self.files[0].channels
        if len(values) not in (1, channels):
            raise DataError(
                f"{self.who}: {TOML}: mean and std must be a number, or {channels} for these images, got {list(values)}"
            )
        return values * channels if len(values) == 1 else values


def _places(listing: Listing) -> tuple[NDArray[np.int64], ...]:
    """Return the positions of training, validation and test in a listing."""
    train, validation = listing.train_count, listing.validation_count
    test = np.arange(train + validation, len(listing.paths))
    if validation:
        return np.arange(train), np.arange(train, train + validation), test
    classes = listing.labels[:train] if listing.labels.ndim == 1 else np.zeros(train, dtype=np.int64)
    return *hold_out(classes, HELD_OUT), test


def _plain(listing: Listing) -> Goal | None:
    """Return the goal of a folder without `task.toml`."""
    return Classification(listing.classes) if listing.labels.ndim == 1 else None


def folder_augment(size: int) -> Augment:
    """Return the augmentation of an image folder: crop after a border of an eighth of the shorter side, and flip."""
    return Augment(size // 8, True)
