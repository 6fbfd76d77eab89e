"""A stored model taken away: its files in the forms that were asked for, and a card with what they claim.

Everything is written to a folder of its own first. What was proven there is put in place file by file; a file that the
card of an earlier export does not name, or that was changed since, is somebody's and stays.
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
from compress.export.card import text
from compress.export.graph import graph, program
from compress.export.onnx_export import check_onnx, write_onnx
from compress.store.files import STRUCTURE, WEIGHTS, Files

PROGRAM = "model.pt2"
ONNX = "model.onnx"
LOADER = "load.py"
CARD = "card.json"
READABLE = "card.md"
SEAL = "sha256"
LARGEST_CARD = 2**24
"""Bytes."""
FORMATS: dict[str, tuple[str, ...]] = {
    "pt2": (PROGRAM,),
    "onnx": (ONNX,),
    "safetensors": (WEIGHTS, STRUCTURE, LOADER),
}
"""What each format's files are called."""
OURS = frozenset((CARD, READABLE, *(name for names in FORMATS.values() for name in names)))


def check_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """Each format once; RecipeError for an unknown one, ExportError where one needs what is not installed."""
    wanted = tuple(dict.fromkeys(formats)) or ("",)
    for name in wanted:
        check_known("format", name, FORMATS)
    if "onnx" in wanted:
        check_onnx("format")
    return wanted


def export(
    files: Files, task: Task, folder: Path, facts: Mapping[str, Any], formats: Iterable[str] = ("pt2", "safetensors")
) -> Path:
    """Write the model into `folder` (made if missing), and `facts` as its card; returns the folder.

    The weights and the program are always there, for they are what the proof starts from. All forms take float images
    `(B, C, H, W)`, any B, normalised with the card's mean and std, and give logits `(B, classes)`. ExportFailed where
    the network has no such form.
    """
    formats = check_formats(formats)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (task.channels, task.size, task.size)
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
    given = {"channels": task.channels, "size": task.size, "mean": list(task.mean), "std": list(task.std)}
    write_card(folder, {**facts, "input": {**given, "pixels": task.pixels, "classes": list(task.classes)}})
    return folder


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Say `facts`, and which files these are, in `card.json` for programs and `card.md` for people."""
    there = {name: _seal(folder / name) for name in sorted(OURS - {CARD, READABLE}) if (folder / name).exists()}
    (folder / READABLE).write_text(text({**facts, "files": there}), encoding="utf-8")
    there[READABLE] = _seal(folder / READABLE)
    card = {**facts, "files": there}
    (folder / CARD).write_text(json.dumps({**card, SEAL: _said(card)}, indent=1))


def place(made: Path, folder: Path, formats: Iterable[str]) -> None:
    """Copy these formats and their card to `folder`, in place of an earlier export there, the card last.

    ExportError when something else lies there, RuntimeError when it cannot be written; then it is as it was.
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
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as drafted:
            draft = Path(drafted)
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
    """ExportError unless an export may be written there: a new folder, an empty one, or one with an earlier export."""
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise ExportError(f"export: {folder} must be a folder, {'it' if there == folder else there} is a file")
    if there == folder and any(folder.iterdir()):
        named = _named(folder)
        if not named:
            raise ExportError(f"export: {folder} must be empty or an earlier export, it holds other files")
        for name in sorted(OURS - {CARD}):
            if os.path.lexists(folder / name) and _seal(folder / name) != named.get(name):
                raise ExportError(f"export: {folder / name} must be as the card there says, it is another file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ExportError(f"export: {folder} must be writable, no permission in {there}")


def _named(folder: Path) -> dict[str, Any]:
    """The files of an earlier export, by its card; none without one."""
    files = read_card(folder).get("files") if (folder / CARD).exists() else None
    return {name: seal for name, seal in files.items() if name in OURS} if isinstance(files, dict) else {}


def _seal(file: Path) -> dict[str, object]:
    """What tells a file from another of its name; {} for what is no file."""
    if not file.is_file():
        return {}
    return {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def check_whole(folder: Path, name: str, seal: object) -> None:
    """ExportError unless the export's file is there, as its card says."""
    file = folder / name
    if not file.is_file():
        raise ExportError(f"evaluate: {folder} is damaged: {name} must be there, for the card names it")
    if _seal(file) != seal:
        raise ExportError(f"evaluate: {folder} is damaged: {name} is another file than the card names; export it again")


def read_card(folder: Path) -> dict[str, Any]:
    """What an export claims; ExportError when the folder is no export, or its card was changed."""
    try:
        if (folder / CARD).stat().st_size > LARGEST_CARD:
            raise ValueError(f"must have at most {LARGEST_CARD:,} bytes")
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        sealed = card.pop(SEAL, None) if isinstance(card, dict) else None
        whole = sealed is None or sealed == _said(card)
    except OSError as error:
        raise ExportError(f"evaluate: {folder} is not an exported model: {CARD}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"evaluate: {folder} is not an exported model: {CARD}: {error}") from error
    if not isinstance(card, dict):
        raise ExportError(f"evaluate: {folder / CARD} must hold a JSON object")
    if not whole:
        raise ExportError(f"evaluate: {folder} is damaged: {CARD} was changed since it was written; export it again")
    return card


def _said(card: Mapping[str, Any]) -> str:
    """Sha256 of all a card says but this: damage, or a hand that changed it, shows."""
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
