"""An image folder: list `train/CLASS/*` and `test/CLASS/*`, every file once, and decide channels and size.

Images become S x S, with S the median of the training images' shorter sides, at most 224. Images become greyscale if
all images are greyscale (Pillow's mode L), else RGB.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compress.data.splits import DataError
from compress.data.walk import Found, Place, Skipped, entries, files_below, is_folder, place, printable

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
LARGEST = 224
"""Largest side in pixels of a decoded image."""
SAMPLE = 1000
"""Headers read to decide the size, evenly spread over training: a million headers would take minutes."""
ALIKE = {"train": ("train", "training"), "test": ("test", "testing", "val", "valid", "validation")}
"""Names given to a part by mistake, in lower case."""


@final
@dataclass(frozen=True, eq=False)
class Listing:
    """Class names, and the images of a folder sorted by class and name, training first.

    `paths` (N) and `labels` (N,) int64 count all images; the first `train_count` are for training. `key` changes with
    names, sizes, times of change and labels, not with the folder's place. `notes` name everything not read.
    """

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    train_count: int
    key: str
    notes: tuple[str, ...]


def list_images(root: Path) -> Listing:
    """List the images below `root`, in subfolders too, every file once.

    Skip and note files with a suffix outside `SUFFIXES`, hidden files, tools' files, links back to a folder above.
    DataError if `train/` or `test/` is missing, unreadable or has no images; if a file is in two classes or in both
    parts; with fewer than 2 classes; for a class only in test, a class with fewer than 2 training images (to train on
    and to validate on), and a class name unfit for reports.
    """
    who = f"folder:{printable(str(root))}"
    _check_path(who, root)
    skipped = Skipped()
    train, test = (_by_class(who, root, part, skipped) for part in ("train", "test"))
    test = _matched(who, train, test)
    classes = tuple(sorted(train))
    if len(classes) < 2:
        raise DataError(f"{who}: there must be at least 2 classes, got {len(classes)}: {classes[0]}")
    for name in classes:
        if len(train[name]) < 2:
            raise DataError(f"{who}: a class needs at least 2 training images, got {len(train[name])} of {name}")
    rows = [(f, label) for part in (train, test) for label, name in enumerate(classes) for f in part.get(name, ())]
    labels = np.array([label for _, label in rows], dtype=np.int64)
    count = sum(map(len, train.values()))
    _check_apart(who, root, [file for file, _ in rows], labels, count)
    notes = (*_notes(root, skipped), *_untested(classes, test))
    return Listing(classes, tuple(f.path for f, _ in rows), labels, count, _key(root, rows), notes)


def _check_path(who: str, root: Path) -> None:
    try:
        str(root).encode()
    except UnicodeEncodeError as error:  # the ledger, MLflow and JSON name the task
        raise DataError(f"{who}: the path must be UTF-8, got other bytes; make a link to it and name that") from error


def _by_class(who: str, root: Path, part: str, skipped: Skipped) -> dict[str, list[Found]]:
    def refuse(path: str, error: OSError) -> DataError:
        where = printable(os.path.relpath(path, root))
        link = f", it is a link to {printable(os.readlink(path))}" if os.path.islink(path) else ""
        return DataError(f"{who}: all of it must be readable, got {where}: {error.strerror}{link}")

    at = place(_part(who, root, part), (os.path.realpath(root),))
    found: dict[str, list[Found]] = {}
    for entry in entries(at, skipped, refuse):
        if is_folder(entry):
            start = Place(entry.path, (*at.chain, os.path.realpath(entry.path)))
            found[_class_name(who, part, entry.name)] = files_below(start, _is_image, skipped, refuse)
        elif _is_image(entry.name):
            skipped.add("in no class", entry.name)
        else:
            skipped.unwanted(entry)
    if not any(found.values()):
        also = f", passed over are {skipped}" if skipped.kinds else ""
        raise DataError(f"{who}: {part}/CLASS/ must hold images ({' '.join(SUFFIXES)}), got none{also}")
    return found


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _part(who: str, root: Path, name: str) -> str:
    path = os.path.join(root, name)
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return path
    except PermissionError as error:
        raise DataError(f"{who}: {name}/ must be readable, got {error.strerror}") from error
    except (OSError, ValueError):  # ValueError for an impossible path
        pass
    alike = sorted(other for other in _names(root) if other.lower() in ALIKE[name])
    got = " and ".join(f"{printable(other)}/" for other in alike) or "none"
    raise DataError(f"{who}: a folder {name}/ with one folder a class must be there, got {got}")


def _names(root: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(root) if entry.is_dir()]
    except (OSError, ValueError):
        return []


def _class_name(who: str, part: str, name: str) -> str:
    """Return the name; DataError for control characters or bytes other than UTF-8, unfit for reports and JSON."""
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        raise DataError(
            f"{who}: a class must have a name in UTF-8 without control characters, got {part}/{printable(name)}; "
            "rename the folder"
        )
    return name


def _matched(who: str, train: Mapping[str, list[Found]], test: Mapping[str, list[Found]]) -> dict[str, list[Found]]:
    """Return `test` under the names of `train`: macOS and Linux compose the same name in two ways."""
    plain: dict[str, str] = {}
    for part, names in (("train", train), ("test", test)):
        composed: dict[str, str] = {}
        for name in sorted(names):
            same = composed.setdefault(unicodedata.normalize("NFC", name), name)
            if same != name:
                raise DataError(f"{who}: a class must have one folder in {part}/, got {same!a} and {name!a}")
        plain = plain or composed
    matched = {plain.get(unicodedata.normalize("NFC", name), name): files for name, files in test.items()}
    if strange := sorted(set(matched) - set(train)):
        folded = {name.casefold(): name for name in train}
        near = [f"{name} to {folded[name.casefold()]}" for name in strange if name.casefold() in folded]
        meant = f"; rename {', '.join(near)}" if near else ""
        raise DataError(f"{who}: every class of test/ must be in train/, got {', '.join(strange)}{meant}")
    return matched


def _check_apart(who: str, root: Path, files: Sequence[Found], labels: NDArray[np.int64], train_count: int) -> None:
    """Raise DataError if a file is listed twice: in both parts, or in two classes."""
    identities = np.array([file.identity for file in files], dtype=np.uint64)
    order = np.lexsort((np.arange(len(files)), identities[:, 1], identities[:, 0]))
    twice = (identities[order[1:]] == identities[order[:-1]]).all(axis=1)
    pairs = np.stack([order[:-1], order[1:]], axis=1)[twice]
    for rule, wrong in (
        ("in train/ or in test/, not in both", (pairs[:, 0] < train_count) != (pairs[:, 1] < train_count)),
        ("of one class", labels[pairs[:, 0]] != labels[pairs[:, 1]]),
    ):
        if wrong.any():
            first, second = (os.path.relpath(files[at].path, root) for at in min(pairs[wrong].tolist()))
            more = f" ({wrong.sum():,} such)" if wrong.sum() > 1 else ""
            raise DataError(
                f"{who}: an image must be {rule}, got one file as {printable(first)} and {printable(second)}{more}"
            )


def _key(root: Path, rows: Sequence[tuple[Found, int]]) -> str:
    start = len(str(root))
    digest = hashlib.sha256(os.fsencode("\0".join(file.path[start:] for file, _ in rows)))
    digest.update(np.array([(f.size, f.changed, label) for f, label in rows], dtype="<i8").tobytes())
    return digest.hexdigest()[:32]


def _notes(root: Path, skipped: Skipped) -> Iterator[str]:
    others = [n for n in sorted(_names(root)) if n not in ("train", "test") and not n.startswith(".")]
    if others:
        yield f"not read: {', '.join(f'{printable(name)}/' for name in others[:5])}{', ...' * (len(others) > 5)}"
    if text := str(skipped):
        yield f"passed over: {text}"


def _untested(classes: Sequence[str], test: Mapping[str, list[Found]]) -> Iterator[str]:
    without = [name for name in classes if not test.get(name)]
    if without:
        yield f"not in test/: {', '.join(without[:5])}{', ...' * (len(without) > 5)}"


def typical_size(paths: Sequence[str]) -> int:
    """Return the median of the images' shorter sides, at most `LARGEST`, from the headers of `SAMPLE` of `paths`."""
    step = -(-len(paths) // SAMPLE)
    sides = sorted(min(*size) for _, size in _headers(paths[::step]))
    return min(sides[(len(sides) - 1) // 2], LARGEST) if sides else 1


def channels_of(paths: Sequence[str]) -> int:
    """Return 1 if all readable images at `paths` are greyscale, by their headers, else 3."""
    return 1 if all(mode == "L" for mode, _ in _headers(paths)) else 3


def _headers(paths: Sequence[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    for path in paths:
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
                about = image.mode, image.size
        except Exception:  # the image is counted and named once decoded
            continue
        yield about
