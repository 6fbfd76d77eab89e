"""A stored model taken away: its weights and structure, a `torch.export` program, and a card with what it claims."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compress.errors import ExportError, StoreError
from compress.files import Files
from compress.measure import latency, measure
from compress.measurement import Measurement
from compress.tasks import Task
from compress.train import training_device

PROGRAM = "model.pt2"
CARD = "card.json"


def export(files: Files, task: Task, folder: Path, card: Mapping[str, Any]) -> Path:
    """Write the model into `folder` (made if missing) and return it. ExportError when something else lies there.

    The program takes float images `(B, C, H, W)`, any B, normalised with the card's mean and std.
    """
    check_free(folder)
    exported = program(files.module(), (task.channels, task.size, task.size))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"export: {folder} must be writable, got {error.strerror}") from error
    files.write(folder)
    torch.export.save(exported, folder / PROGRAM)
    whole = {
        **card,
        "input": {
            "channels": task.channels,
            "size": task.size,
            "mean": list(task.mean),
            "std": list(task.std),
            "classes": list(task.classes),
        },
    }
    (folder / CARD).write_text(json.dumps(whole, indent=1))
    return folder


def check_free(folder: Path) -> None:
    """ExportError unless an export may be written there: a new folder, an empty one, or one with an earlier export."""
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise ExportError(f"export: {folder} must be a folder, {'it' if there == folder else there} is a file")
    if there == folder and any(folder.iterdir()) and not (folder / CARD).exists():
        raise ExportError(f"export: {folder} must be empty or an earlier export, it holds other files")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ExportError(f"export: {folder} must be writable, no permission in {there}")


def program(model: nn.Module, shape: tuple[int, int, int]) -> torch.export.ExportedProgram:
    """The model as a graph of torch operations, batch size dynamic."""
    images = (torch.zeros(2, *shape),)
    return torch.export.export(model.eval(), images, dynamic_shapes=({0: torch.export.Dim("batch")},))


def read_card(folder: Path) -> dict[str, Any]:
    """What an export claims; ExportError when the folder is no export."""
    try:
        card = json.loads((folder / CARD).read_text())
    except OSError as error:
        raise ExportError(f"evaluate: {folder} is not an exported model: {CARD}: {error.strerror}") from error
    except ValueError as error:
        raise ExportError(f"evaluate: {folder} is not an exported model: {CARD}: {error}") from error
    if not isinstance(card, dict):
        raise ExportError(f"evaluate: {folder / CARD} must hold a JSON object")
    return card


def evaluate(folder: Path, task: Task) -> tuple[Measurement, dict[str, float]]:
    """Measure an exported model afresh: the rebuilt module's figures, and the program's own.

    The program's figures are `agreement` (share of test images given the same class as by the module, in [0, 1]) and
    `latency_ms`, `latency_p95_ms` at batch 1.
    """
    device = training_device()
    task = task.to(device)
    read_card(folder)
    try:
        files = Files.read(folder)
        module = files.module().to(device)
    except StoreError as error:
        raise ExportError(f"evaluate: {folder} is damaged: {error}") from error
    measured = measure(module, task, files)
    loaded = _load_program(folder / PROGRAM).to(device)
    same = 0
    with torch.no_grad():
        for batch in task.test.batches(512):
            same += int((loaded(batch.images).argmax(1) == module(batch.images).argmax(1)).sum())
    median, p95 = latency(loaded, (task.channels, task.size, task.size))
    return replace(measured, seconds=0.0), {
        "agreement": same / len(task.test),
        "latency_ms": median,
        "latency_p95_ms": p95,
    }


def _load_program(file: Path) -> nn.Module:
    try:
        return torch.export.load(file).module()
    except Exception as error:  # a torn archive can fail anywhere in the reader
        raise ExportError(f"evaluate: {file} cannot be loaded: {error}") from error
