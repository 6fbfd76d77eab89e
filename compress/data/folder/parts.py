"""The parts of an image folder: listed, decoded at once or as needed, and prepared as `task.toml` says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from compress.data.assembly import HELD_OUT, Bytes, Parts, blocks_of, hold_out, tensor_splits
from compress.data.augmentation import Augment
from compress.data.folder.image_sizes import Size, channels_of, common_size, typical_size
from compress.data.folder.images import Files, Report, decode_all, decode_blocks
from compress.data.folder.labelled import list_labelled
from compress.data.folder.listing import Listing, list_images
from compress.data.folder.pixel_cache import Facts, FolderCache
from compress.data.folder.settings import FILE as TOML
from compress.data.folder.settings import FolderSettings, read_settings
from compress.data.splits import DataError, Split, StreamSplit, fits
from compress.data.survey import Moments, Part, fingerprint
from compress.goals import Classification, Goal


def from_folder(who: str, root: Path, cache_dir: Path | None, stream: bool | None, *, square: bool = False) -> Parts:
    """Read the images of a folder; with `stream` decode images as needed, by default where memory would be short.

    Keep facts and, unless streamed, decoded images in `cache_dir`. With `square` images of one aspect become squares,
    as in earlier versions. DataError if the folder breaks a rule of `list_images` or `task.toml`, or an image is
    unreadable.
    """
    settings = read_settings(who, root)
    if settings.labelled:
        listing = list_labelled(root, settings.validation, settings.columns)
    else:
        listing = list_images(root, settings.validation)
    folder = _Folder(who, listing, settings, square=square)
    cache = FolderCache(cache_dir, folder.key)
    if cache.facts() is not None:
        return folder.parts(cache, stream)
    with cache.locked():
        return folder.parts(cache, stream)


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

    def parts(self, cache: FolderCache, stream: bool | None) -> Parts:
        """Read the images, or what is kept of them in `cache`."""
        known = cache.facts()
        channels = known.channels if known else channels_of(self.listing.paths)
        size = channels, self.height, self.width, self.settings.fit
        self.files = [Files(tuple(self.listing.paths[i] for i in at), *size) for at in self.places]
        augment = self.augment
        self.about = f"{channels} {self.height} {augment.padding} {augment.flip}"
        if not self.is_plain:
            self.about = f"folder {channels} {self.said}"
        if stream is None:
            stream = not fits(len(self.listing.paths) * channels * self.height * self.width)
        facts, splits = self.streamed(cache, known) if stream else self.in_memory(cache, known)
        prepared = f"{'grey' if channels == 1 else 'RGB'} from 0 to 255, upright, {self.files[0].preparation}"
        goal = self.goal.fitted(splits[0].targets)
        return Parts(facts, splits, goal, augment, self.listing.notes, prepared)

    def streamed(self, cache: FolderCache, known: Facts | None) -> tuple[Facts, list[Split]]:
        if known is None:
            report = Report()
            known = self.survey([decode_blocks(part, report) for part in self.files], report)
            cache.write(known, None)
        rows = zip(self.files, self.labels, strict=True)
        return known, [StreamSplit(torch.from_numpy(labels), known.mean, known.std, part) for part, labels in rows]

    def in_memory(self, cache: FolderCache, known: Facts | None) -> tuple[Facts, list[Split]]:
        first = self.files[0]
        pixels = cache.pixels((self.ends[-1], first.channels, self.height, self.width)) if known else None
        if known is None or pixels is None or fingerprint(self.blocks(pixels), self.about) != known.fingerprint:
            report = Report()
            pixels = decode_all(replace(first, paths=sum((part.paths for part in self.files), ())), report)
            known = self.survey([blocks for blocks, _ in self.blocks(pixels)], report)
            cache.write(known, pixels)
        return known, tensor_splits(known, list(zip(self.cut(pixels), self.labels, strict=True)))

    def cut(self, pixels: Bytes) -> list[Bytes]:
        """Images of all parts, by part."""
        return np.split(pixels, self.ends[:-1])

    def blocks(self, pixels: Bytes) -> list[Part]:
        """Images of all parts, as a survey reads them."""
        return [(blocks_of(images), labels) for images, labels in zip(self.cut(pixels), self.labels, strict=True)]

    def survey(self, blocks: Sequence[Iterable[Bytes]], report: Report) -> Facts:
        """Look through all images; DataError if some were unreadable."""
        moments, first = Moments(), self.files[0]
        whole = fingerprint(list(zip(blocks, self.labels, strict=True)), self.about, moments)
        report.check(self.who, self.ends[-1])
        if moments.blank:
            why = "; their transparency is left out, so save them on a background" if report.made_opaque else ""
            raise DataError(f"{self.who}: images must show something, every pixel of train/ has the same colour{why}")
        mean, std = moments.mean_and_std()
        if self.settings.mean is not None and self.settings.std is not None:
            mean, std = (self.by_channel(values) for values in (self.settings.mean, self.settings.std))
        shown = report.shown(int(self.ends[-1]), first)
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
