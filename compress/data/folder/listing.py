"""An image folder: list `train/CLASS/*` and `test/CLASS/*`, every file once, and the folder of validation if any."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from compress.data.folder.walk import Found, Place, Skipped, entries, files_below, is_folder, place, printable
from compress.data.splits import DataError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
ALIKE = {"train": ("train", "training"), "test": ("test", "testing", "val", "valid", "validation")}
"""Names given to a part by mistake, in lower case."""


@final
@dataclass(frozen=True, eq=False)
class Listing:
    """Class names, and the images of a folder sorted by class and name: training, validation if any, test.

    `paths` (N) and `labels` (N,) int64, or values (N, D) float32 of columns named by `classes`, count all images; the
    first `train_count` are for training, the next `validation_count` for validation. `key` changes with names, sizes,
    times of change and labels, not with the folder's place. `notes` name everything not read.
    """

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[Any]
    train_count: int
    key: str
    notes: tuple[str, ...]
    validation_count: int = 0


def list_images(root: Path, validation: str = "") -> Listing:
    """List the images below `root`, in subfolders too, every file once; `validation` names a folder like `test/`.

    Skip and note files with a suffix outside `SUFFIXES`, hidden files, tools' files, links back to a folder above.
    DataError if `train/` or `test/` is missing, unreadable or has no images; if a file is in two classes or in both
    parts; with fewer than 2 classes; for a class only in test, a class with fewer than 2 training images (to train on
    and to validate on), and a class name unfit for reports.
    """
    who = f"folder:{printable(str(root))}"
    check_path(who, root)
    skipped = Skipped()
    parts = part_names(validation)
    train, *others = (_by_class(who, root, part, skipped) for part in parts)
    others = [_matched(who, train, part, found) for part, found in zip(parts[1:], others, strict=True)]
    classes = tuple(sorted(train))
    if len(classes) < 2:
        raise DataError(f"{who}: there must be at least 2 classes, got {len(classes)}: {classes[0]}")
    for name in classes:
        if len(train[name]) < 2:
            raise DataError(f"{who}: a class needs at least 2 training images, got {len(train[name])} of {name}")
    by_part = [
        [(f, label) for label, name in enumerate(classes) for f in part.get(name, ())] for part in (train, *others)
    ]
    rows = [row for part in by_part for row in part]
    labels = np.array([label for _, label in rows], dtype=np.int64)
    counts = [len(part) for part in by_part]
    _check_apart(who, root, [file for file, _ in rows], labels, dict(zip(parts, counts, strict=True)))
    notes = (*notes_on(root, skipped, parts), *_untested(classes, others[-1]))
    paths = tuple(file.path for file, _ in rows)
    return Listing(classes, paths, labels, counts[0], key_of(root, rows), notes, counts[1] if validation else 0)


def part_names(validation: str) -> tuple[str, ...]:
    """Return the folders of a folder's parts, in the order of a listing."""
    return ("train", validation, "test") if validation else ("train", "test")


def check_path(who: str, root: Path) -> None:
    """Raise DataError for a path in other bytes than UTF-8."""
    try:
        str(root).encode()
    except UnicodeEncodeError as error:  # the ledger, MLflow and JSON name the task
        raise DataError(f"{who}: the path must be UTF-8, got other bytes; make a link to it and name that") from error


def refusing(who: str, root: Path) -> Callable[[str, OSError], DataError]:
    """Return a function that complains about an unreadable path below `root`."""

    def refuse(path: str, error: OSError) -> DataError:
        where = printable(os.path.relpath(path, root))
        link = f", it is a link to {printable(os.readlink(path))}" if os.path.islink(path) else ""
        return DataError(f"{who}: all of it must be readable, got {where}: {error.strerror}{link}")

    return refuse


def _by_class(who: str, root: Path, part: str, skipped: Skipped) -> dict[str, list[Found]]:
    refuse = refusing(who, root)
    at = place(folder_of(who, root, part), (os.path.realpath(root),))
    found: dict[str, list[Found]] = {}
    for entry in entries(at, skipped, refuse):
        if is_folder(entry):
            start = Place(entry.path, (*at.chain, os.path.realpath(entry.path)))
            found[_class_name(who, part, entry.name)] = files_below(start, is_image, skipped, refuse)
        elif is_image(entry.name):
            skipped.add("in no class", entry.name)
        else:
            skipped.unwanted(entry)
    if not any(found.values()):
        also = f", passed over are {skipped}" if skipped.kinds else ""
        if (root / "labels.csv").exists():
            also += "; labels.csv is read where task.toml says goal = 'regression' or 'multilabel'"
        raise DataError(f"{who}: {part}/CLASS/ must hold images ({' '.join(SUFFIXES)}), got none{also}")
    return found


def is_image(name: str) -> bool:
    """Whether a file's suffix is that of an image."""
    return name.lower().endswith(SUFFIXES)


def folder_of(who: str, root: Path, name: str, inside: str = " with one folder a class") -> str:
    """Return the path of a part's folder; DataError, with near names, without such a folder."""
    path = os.path.join(root, name)
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return path
    except PermissionError as error:
        raise DataError(f"{who}: {name}/ must be readable, got {error.strerror}") from error
    except (OSError, ValueError):  # ValueError for an impossible path
        pass
    alike = sorted(other for other in _names(root) if other.lower() in ALIKE.get(name, ()))
    got = " and ".join(f"{printable(other)}/" for other in alike) or "none"
    raise DataError(f"{who}: a folder {name}/{inside} must be there, got {got}")


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


def _matched(
    who: str, train: Mapping[str, list[Found]], other: str, test: Mapping[str, list[Found]]
) -> dict[str, list[Found]]:
    """Return the part `other` under the names of `train`: macOS and Linux compose the same name in two ways."""
    plain: dict[str, str] = {}
    for part, names in (("train", train), (other, test)):
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
        raise DataError(f"{who}: every class of {other}/ must be in train/, got {', '.join(strange)}{meant}")
    return matched


def _check_apart(
    who: str, root: Path, files: Sequence[Found], labels: NDArray[np.int64], counts: Mapping[str, int]
) -> None:
    """Raise DataError if a file is listed twice: in two parts, or in two classes."""
    part = np.repeat(np.arange(len(counts)), list(counts.values()))
    pairs = twice(files)
    rule = f"in {' or in '.join(f'{name}/' for name in counts)}, not in {'both' if len(counts) == 2 else 'two of them'}"
    for must, wrong in (
        (rule, part[pairs[:, 0]] != part[pairs[:, 1]]),
        ("of one class", labels[pairs[:, 0]] != labels[pairs[:, 1]]),
    ):
        if wrong.any():
            first, second = (os.path.relpath(files[at].path, root) for at in min(pairs[wrong].tolist()))
            more = f" ({wrong.sum():,} such)" if wrong.sum() > 1 else ""
            raise DataError(
                f"{who}: an image must be {must}, got one file as {printable(first)} and {printable(second)}{more}"
            )


def twice(files: Sequence[Found]) -> NDArray[np.int64]:
    """Return pairs of positions (P, 2) of the same file."""
    identities = np.array([file.identity for file in files], dtype=np.uint64)
    order = np.lexsort((np.arange(len(files)), identities[:, 1], identities[:, 0]))
    same = (identities[order[1:]] == identities[order[:-1]]).all(axis=1)
    pairs: NDArray[np.int64] = np.stack([order[:-1], order[1:]], axis=1)[same]
    return pairs


def key_of(root: Path, rows: Sequence[tuple[Found, int]]) -> str:
    """Return a hash of names below `root`, sizes, times of change and labels."""
    start = len(str(root))
    digest = hashlib.sha256(os.fsencode("\0".join(file.path[start:] for file, _ in rows)))
    digest.update(np.array([(f.size, f.changed, label) for f, label in rows], dtype="<i8").tobytes())
    return digest.hexdigest()[:32]


def notes_on(root: Path, skipped: Skipped, parts: Sequence[str]) -> Iterator[str]:
    """Yield a sentence about folders beside the parts, and about names passed over."""
    others = [n for n in sorted(_names(root)) if n not in parts and not n.startswith(".")]
    if others:
        yield f"not read: {', '.join(f'{printable(name)}/' for name in others[:5])}{', ...' * (len(others) > 5)}"
    if text := str(skipped):
        yield f"passed over: {text}"


def _untested(classes: Sequence[str], test: Mapping[str, list[Found]]) -> Iterator[str]:
    without = [name for name in classes if not test.get(name)]
    if without:
        yield f"not in test/: {', '.join(without[:5])}{', ...' * (len(without) > 5)}"
