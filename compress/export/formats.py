"""Export of a stored model: its files in the requested formats, and a card with their figures.

An export is written to a folder of its own and evaluated there. `place` then moves the files to the user's folder, in
place of an earlier export. A file missing in the earlier card, or changed since, is the user's: nothing overwrites it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from compress.data.tasks import Task
from compress.errors import ExportError, check_known
from compress.export import standalone
from compress.export.card import sides, text
from compress.export.graph import graph, program
from compress.export.onnx_export import check_onnx, write_onnx
from compress.goals import LABELS
from compress.quality import ACCURACY
from compress.store.files import STRUCTURE, WEIGHTS, Files

PROGRAM = "model.pt2"
ONNX = "model.onnx"
LOADER = "load.py"
CARD = "card.json"
READABLE = "card.md"
SEAL = "sha256"
LARGEST_CARD = 2**24
"""Size in bytes above which a card is refused."""
FORMATS: dict[str, tuple[str, ...]] = {
    "pt2": (PROGRAM,),
    "onnx": (ONNX,),
    "safetensors": (WEIGHTS, STRUCTURE, LOADER),
}
"""File names by format."""
OURS = frozenset((CARD, READABLE, *(name for names in FORMATS.values() for name in names)))


def check_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """Return each format once; RecipeError for an unknown format, ExportError if a format's package is missing."""
    wanted = tuple(dict.fromkeys(formats)) or ("",)
    for name in wanted:
        check_known("format", name, FORMATS)
    if "onnx" in wanted:
        check_onnx("format")
    return wanted


def export(
    files: Files, task: Task, folder: Path, facts: Mapping[str, Any], formats: Iterable[str] = ("pt2", "safetensors")
) -> Path:
    """Write the model into `folder` (made if missing), and `facts` as its card; return the folder.

    Weights and program are written for any `formats`: the evaluation needs both. All forms map float images
    `(B, C, H, W)`, any B, normalised with the card's mean and std, to logits `(B, classes)`. ExportFailed if the
    network has no form of a requested format.
    """
    formats = check_formats(formats)
    folder.mkdir(parents=True, exist_ok=True)
    shape = task.shape
    made = program(files.module(), shape)
    torch.export.save(made, folder / PROGRAM)
    files.write(folder)
    if "safetensors" in formats:
        structure = {**json.loads(files.structure), **graph(made)}
        structure["sha256"] = standalone.seal(files.weights, structure)
        (folder / STRUCTURE).write_text(json.dumps(structure, separators=(",", ":")))
        shutil.copyfile(standalone.__file__, folder / LOADER)
    if "onnx" in formats:
        write_onnx(files.module(), shape, folder / ONNX)
    given = {**sides(task.shape), "mean": list(task.mean), "std": list(task.std)}
    given |= {"pixels": task.pixels, "classes": list(task.classes)}
    quality = {} if task.quality == ACCURACY else {"quality": task.quality.as_json()}
    goal = {} if task.goal.name == LABELS.name else {"goal": task.goal.as_json()}
    write_card(folder, {**facts, **quality, **goal, "input": given})
    return folder


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `facts` and the checksums of the folder's files to `card.json`, for programs, and `card.md`, for people."""
    seals = {name: _seal(folder / name) for name in sorted(OURS - {CARD, READABLE}) if (folder / name).exists()}
    (folder / READABLE).write_text(text({**facts, "files": seals}), encoding="utf-8")
    seals[READABLE] = _seal(folder / READABLE)
    card = {**facts, "files": seals}
    (folder / CARD).write_text(json.dumps({**card, SEAL: _card_seal(card)}, indent=1))


def place(made: Path, folder: Path, formats: Iterable[str]) -> None:
    """Copy the formats and their card to `folder`, in place of an earlier export, the card last.

    ExportError if `folder` has files other than an export's, RuntimeError if `folder` cannot be written. After an
    error the folder is unchanged, unless the disk fails between two renames.
    """
    check_free(folder)
    before = _named(folder)
    facts = {key: value for key, value in read_card(made).items() if key != "files"}
    if "measured" in facts:
        found = facts["measured"]["formats"]
        facts["measured"]["formats"] = {form: found[form] for form in FORMATS if form in formats}
    names = [name for form in FORMATS if form in formats for name in FORMATS[form]]
    new = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
            draft = Path(temporary)
            for name in names:
                shutil.copyfile(made / name, draft / name)
            write_card(draft, facts)
            for name in (*names, READABLE, CARD):
                os.replace(draft / name, folder / name)
    except OSError as error:
        for part in new:
            if part.is_dir() and not any(part.iterdir()):
                part.rmdir()
        raise RuntimeError(f"export: {folder} cannot be written: {error.strerror or error}") from error
    for name in before.keys() - {*names, READABLE, CARD}:
        (folder / name).unlink(missing_ok=True)


def check_free(folder: Path) -> None:
    """Raise ExportError unless `folder` is missing, empty or an unchanged earlier export, and writable."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise ExportError(f"export: {folder} must be a folder, {'it' if nearest == folder else nearest} is a file")
    if nearest == folder and any(folder.iterdir()):
        named = _named(folder)
        if not named:
            raise ExportError(f"export: {folder} must be empty or an earlier export, it holds other files")
        for name in sorted(OURS - {CARD}):
            if os.path.lexists(folder / name) and _seal(folder / name) != named.get(name):
                raise ExportError(f"export: {folder / name} must be as the card there says, it is another file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ExportError(f"export: {folder} must be writable, no permission in {nearest}")


def _named(folder: Path) -> dict[str, Any]:
    """Return the checksums of an earlier export's files, from its card; empty without a card."""
    files = read_card(folder).get("files") if (folder / CARD).exists() else None
    return {name: seal for name, seal in files.items() if name in OURS} if isinstance(files, dict) else {}


def _seal(file: Path) -> dict[str, object]:
    """Return the size and checksum of a file; {} if the path is no regular file."""
    if not file.is_file():
        return {}
    return {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def check_file(folder: Path, name: str, seal: object) -> None:
    """Raise ExportError if a file of the export is missing, or differs from its `seal` in the card."""
    file = folder / name
    if not file.is_file():
        raise ExportError(f"evaluate: {folder} is damaged: {name} must be there, for the card names it")
    if _seal(file) != seal:
        raise ExportError(f"evaluate: {folder} is damaged: {name} is another file than the card names; export it again")


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of an export; ExportError if the folder has no card, or the card was changed."""
    try:
        if (folder / CARD).stat().st_size > LARGEST_CARD:
            raise ValueError(f"must have at most {LARGEST_CARD:,} bytes")
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        sealed = card.pop(SEAL, None) if isinstance(card, dict) else None
        whole = sealed is None or sealed == _card_seal(card)
    except OSError as error:
        raise ExportError(f"evaluate: {folder} is not an exported model: {CARD}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"evaluate: {folder} is not an exported model: {CARD}: {error}") from error
    if not isinstance(card, dict):
        raise ExportError(f"evaluate: {folder / CARD} must hold a JSON object")
    if not whole:
        raise ExportError(f"evaluate: {folder} is damaged: {CARD} was changed since it was written; export it again")
    return card


def _card_seal(card: Mapping[str, Any]) -> str:
    """Return the sha256 of a card without its own checksum: shows damage, and edits by hand."""
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
