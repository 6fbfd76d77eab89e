"""A folder with `labels.csv`: an image's path, such as `train/7.png`, and its values, a row an image."""

from __future__ import annotations

import csv
import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from compress.data.folder.listing import (
    Listing,
    check_path,
    folder_of,
    is_image,
    key_of,
    notes_on,
    part_names,
    refusing,
)
from compress.data.folder.walk import Found, Skipped, files_below, place, printable
from compress.data.splits import DataError
from compress.errors import said

FILE = "labels.csv"


def list_labelled(root: Path, validation: str = "", columns: Sequence[str] = ()) -> Listing:
    """List the images of the rows of `labels.csv` below `train/` and `test/`, and the folder of `validation`.

    The first column has the paths, from the folder of the file; `columns` are those of the targets, all others if ().
    Rows of other folders and images without a row are noted. DataError for a missing file, an unknown column, a value
    that is no number, a row without an image, an image with two rows, and a part without rows.
    """
    who = f"folder:{printable(str(root))}"
    check_path(who, root)
    skipped, parts = Skipped(), part_names(validation)
    images = {part: _images(who, root, part, skipped) for part in parts}
    names, rows = _table(f"{who}: {FILE}", root / FILE, columns)
    found: dict[str, list[tuple[Found, tuple[float, ...]]]] = {part: [] for part in parts}
    seen: set[str] = set()
    for line, path, values in rows:
        part = path.partition("/")[0]
        if part not in images:
            skipped.add("rows of other folders", f"{part}/")
            continue
        if path not in images[part]:
            raise DataError(f"{who}: {FILE}: line {line} must name an image below {part}/, got {printable(path)!r}")
        if path in seen:
            raise DataError(f"{who}: {FILE}: an image must have one row, got {printable(path)!r} again in line {line}")
        seen.add(path)
        found[part].append((images[part][path], values))
    for part, known in images.items():
        if not found[part]:
            raise DataError(f"{who}: {FILE} must have rows of {part}/, such as {part}/7.png, got none")
        for path in known:
            if path not in seen:
                skipped.add("images without a row", os.path.basename(path))
    ordered = [row for part in parts for row in sorted(found[part])]
    targets = np.array([values for _, values in ordered], dtype=np.float32)
    digest = hashlib.sha256(key_of(root, [(file, 0) for file, _ in ordered]).encode())
    digest.update(" ".join(names).encode() + targets.astype("<f4").tobytes())
    return Listing(
        names,
        tuple(file.path for file, _ in ordered),
        targets,
        len(found["train"]),
        digest.hexdigest()[:32],
        tuple(notes_on(root, skipped, parts)),
        len(found[validation]) if validation else 0,
    )


def _images(who: str, root: Path, part: str, skipped: Skipped) -> dict[str, Found]:
    """Return the images of a part by their paths below `root`, with slashes."""
    at = place(folder_of(who, root, part, ""), (os.path.realpath(root),))
    files = files_below(at, is_image, skipped, refusing(who, root))
    return {Path(os.path.relpath(file.path, root)).as_posix(): file for file in files}


def _table(
    who: str, file: Path, columns: Sequence[str]
) -> tuple[tuple[str, ...], Iterator[tuple[int, str, tuple[float, ...]]]]:
    """Return the names of the columns of targets, and the rows: line, path, values."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{who} must be a readable file in UTF-8, got {said(error)}") from error
    first = text.partition("\n")[0]
    lines = list(csv.reader(text.splitlines(), delimiter=";" if ";" in first and "," not in first else ","))
    head = [name.strip() for name in lines[0]] if lines else []
    names = tuple(columns) or tuple(head[1:])
    if not names:
        raise DataError(f"{who} must have a column of paths and at least one of values in its first line, got {head}")
    for name in (*names, *head[1:]):
        if name not in head[1:] or head[1:].count(name) > 1 or not name.isprintable() or not name:
            got = "twice" if head[1:].count(name) > 1 else f"known are {', '.join(head[1:])}"
            raise DataError(f"{who}: a column must be named once in the first line, got {name!r}, {got}")
    places = [head.index(name, 1) for name in names]
    return names, _rows(who, lines, names, places)


def _rows(
    who: str, lines: list[list[str]], names: Sequence[str], places: Sequence[int]
) -> Iterator[tuple[int, str, tuple[float, ...]]]:
    for line, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        if len(cells) != len(lines[0]):
            raise DataError(f"{who}: line {line} must have {len(lines[0])} cells like the first, got {len(cells)}")
        values = tuple(
            _number(f"{who}: line {line}: {name}", cells[at]) for name, at in zip(names, places, strict=True)
        )
        yield line, Path(cells[0].strip()).as_posix(), values


def _number(who: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{who} must be a finite number, got {text!r}")
    return value
