"""Measure an exported model afresh, in every form in its folder: counts, accuracy, agreement, latency."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from compress.corruptions import SEVERITY
from compress.data.tasks import Task
from compress.errors import ExportError
from compress.export import standalone
from compress.export.card import shape_of
from compress.export.card_task import normalised_by_card
from compress.export.export_files import files_of, module_of
from compress.export.foreign_program import Foreign, repack_program
from compress.export.formats import FORMATS, LOADER, ONNX, PROGRAM, check_file, read_card
from compress.export.onnx_export import open_onnx
from compress.figures import computed, graded
from compress.inspection.robustness import robustness
from compress.machine.numerics import exact
from compress.measure import device_name, grade, latency, measure, processor
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.training.loop import training_device

Run = Callable[[Tensor], Tensor]
SHOWN = 256
"""Test images ONNX is compared on, drawn at random; all test images if the split has fewer."""
Agree = Callable[[Tensor, Tensor], Tensor]
CLOSE = 1e-2
"""Greatest difference of values said to be the same, as a share of their spread: int8 forms round activations."""
BATCHES = {1: 30, 64: 10}
"""Forward passes timed, by batch size in images."""


def evaluate(
    folder: Path,
    task: Task,
    networks: Collection[str] = (),
    corrupt: Sequence[str] = (),
    severity: int = SEVERITY,
) -> dict[str, Any]:
    """Measure an exported model: the figures of a point, and under `formats` the figures of each form.

    The figures are measured on the module of `structure.json`. Without a module only the accuracy of a form is
    measured. A user's own network is built only by a function named in `networks`: the function is imported and run. A
    library's network is built if the library is installed.

    Every form is compared with the module, or without a module with `pt2`, else with `onnx`. `agreement` in [0, 1] is
    the share of `images` given the same class, or where there are no classes the same values but for `CLOSE`;
    `difference` is the largest difference of logits, relative for logits
    beyond 1. `latency` has the median and the 95th percentile in ms by batch size. `pt2` and `safetensors` see all test
    images, `onnx` sees `SHOWN` images on the CPU. With `corrupt`, names of corruptions, `robustness` has the quality on
    the test images corrupted at `severity` (`compress/inspection/robustness.py`), of what the figures are of.

    Images are normalised by the card's mean and std in place of the task's. ExportError if the folder is no export or
    damaged, or if the task has other images or classes.
    """
    names = _listed(folder)
    task = normalised_by_card(task, folder)
    device = torch.device("cpu") if names == {ONNX} else training_device()
    task = task.to(device)
    forms: dict[str, dict[str, Any]] = {}
    torches = dict(_torch_forms(folder, names, device))
    exchange = open_onnx(folder / ONNX) if ONNX in names else None
    if exchange is not None:
        exchange = replace(exchange, run=_guard(folder / ONNX, exchange.run))
    shape = task.shape
    found: dict[str, Any] = {"machine": machine(), "threads": torch.get_num_threads(), "device": device_name(device)}
    buildable = files_of(folder, networks) if WEIGHTS in names else None
    if buildable is not None:
        files, network = buildable
        module = module_of(folder, files, network)
        reference: Run = module.to(device)
        found = {**_figures(module, task, files), **found}
    else:
        reference = next(iter(torches.values())) if exchange is None else torches.get("pt2", exchange.run)
        splits = {"validation": task.validation, "test": task.test}
        values = {name: task.quality.value(grade(reference, task, split)[0]) for name, split in splits.items()}
        found = {task.quality.name: values, **found}
    if corrupt:
        found["robustness"] = robustness(reference, task, corrupt, severity)
    agree = _same_class if task.goal.softmax else _same_value
    for form, run in torches.items():
        forms[form] = _compare(run, reference, (batch.images for batch in task.test.batches(512)), agree)
        forms[form]["latency"] = _latencies(run, shape, device)
    if exchange is not None:
        shown = next(task.test.batches(SHOWN, torch.Generator().manual_seed(0))).images.cpu()
        on_cpu = reference.cpu() if isinstance(reference, nn.Module) else reference
        forms["onnx"] = {
            **_compare(exchange.run, on_cpu, [shown], agree),
            "opset": exchange.opset,
            "onnxruntime": exchange.runtime,
            "int8_layers": exchange.int8_layers,
            "integer_layers": exchange.integer_layers,
            "latency": _latencies(exchange.run, shape, torch.device("cpu")),
        }
    for form, got in forms.items():
        got |= {} if task.goal.softmax else {"compares": "values"}
        if got["agreement"] < 1:
            logging.getLogger(__name__).warning(
                "note: %s gives %.2f %% of %d images the answer of the other forms; the quality above is theirs",
                *(form, 100 * got["agreement"], got["images"]),
            )
    return {**found, "formats": forms}


def _listed(folder: Path) -> set[str]:
    """Return the names of the card's files; ExportError if a file is missing or changed."""
    listed = read_card(folder).get("files")
    if not isinstance(listed, dict) or not listed.keys() & {PROGRAM, ONNX, WEIGHTS}:
        raise ExportError(f"evaluate: {folder} is not an exported model: its card names no files of one")
    wanted = [name for names in FORMATS.values() for name in names if name in listed]
    for name in wanted:
        check_file(folder, name, listed[name])
    return set(wanted)


def shape_in(folder: Path) -> tuple[int, int, int] | None:
    """Return the shape (C, H, W) of images that the card in `folder` names, None for a damaged card."""
    try:
        return shape_of(read_card(folder)["input"])
    except (ExportError, KeyError, TypeError):
        return None


def _torch_forms(folder: Path, names: set[str], device: torch.device) -> Iterator[tuple[str, Run]]:
    if PROGRAM in names:
        yield "pt2", _program(folder / PROGRAM, device)
    if LOADER in names:
        try:
            yield "safetensors", _guard(folder / STRUCTURE, standalone.load(folder, str(device)))
        except Exception as error:  # a damaged file may raise any error
            raise ExportError(f"evaluate: {folder} is damaged: {STRUCTURE} or {WEIGHTS}: {error}") from error


def _guard(file: Path, run: Run) -> Run:
    """Wrap `run`: ExportError in place of any error, for a file readable but impossible to run."""

    def guarded(images: Tensor) -> Tensor:
        try:
            return run(images)
        except Exception as error:  # any operation may refuse its arguments
            line = str(error).strip().partition("\n")[0]
            raise ExportError(f"evaluate: {file} cannot be run: {type(error).__name__}: {line}") from error

    return guarded


def _program(file: Path, device: torch.device) -> Run:
    try:
        return _guard(file, move_to_device_pass(torch.export.load(repack_program(file)), device).module())
    except Foreign as error:
        raise ExportError(f"evaluate: {file} cannot be loaded: it holds {error}") from error
    except Exception as error:  # a torn archive can fail anywhere in the reader
        line = str(error).strip().partition("\n")[0]
        raise ExportError(f"evaluate: {file} cannot be loaded: {type(error).__name__}: {line}") from error


def _figures(module: nn.Module, task: Task, files: Files) -> dict[str, Any]:
    try:
        measured = measure(module, task, files)
    except (LookupError, RuntimeError, TypeError, ValueError) as error:  # the layers do not fit each other
        line = str(error).strip().partition("\n")[0]
        raise ExportError(f"evaluate: {STRUCTURE} cannot be run: {type(error).__name__}: {line}") from error
    figures, quality = measured.as_json(), task.quality
    split = {one.split: quality.value(figures.pop(one.name)) for one in graded(quality)}
    del figures["seconds"]
    return {quality.name: split, **figures, **computed(figures)}


@exact()
def _compare(run: Run, reference: Run, batches: Iterable[Tensor], agree: Agree) -> dict[str, Any]:
    count, same, difference = 0, 0, 0.0
    with torch.no_grad():
        for images in batches:
            wanted, given = reference(images), run(images)
            if wanted.shape != given.shape:
                raise ExportError(
                    f"evaluate: a form must give logits {tuple(wanted.shape)} as others do, got {tuple(given.shape)}; "
                    "the export is damaged"
                )
            count += len(images)
            same += int(agree(wanted, given).sum())
            apart = ((given - wanted).abs() / wanted.abs().clamp(min=1.0)).amax()
            difference = max(difference, float(apart.nan_to_num(nan=torch.inf)))
    return {"images": count, "agreement": same / count, "difference": difference}


def _same_class(wanted: Tensor, given: Tensor) -> Tensor:
    """Return by image whether the class is the same, of maps in every pixel but one in a thousand."""
    same = (wanted.argmax(1) == given.argmax(1)).flatten(1) if wanted.dim() > 2 else wanted.argmax(1) == given.argmax(1)
    return same.float().mean(1) >= 0.999 if wanted.dim() > 2 else same


def _same_value(wanted: Tensor, given: Tensor) -> Tensor:
    """Return by image whether all values are the same but for `CLOSE` of the spread over the images."""
    spread = (wanted.amax(0) - wanted.amin(0)).amax().clamp(min=1e-6)
    return (given - wanted).abs().flatten(1).amax(1) <= CLOSE * spread


def _latencies(run: Run, shape: tuple[int, int, int], device: torch.device) -> list[dict[str, Any]]:
    rows = []
    for batch, calls in BATCHES.items():
        median, p95 = latency(run, shape, batch=batch, calls=calls, device=device)
        rows.append({"batch": batch, "median_ms": median, "p95_ms": p95, "device": device_name(device)})
    return rows


def machine() -> dict[str, object]:
    """Describe the machine figures are measured on: processor, cores, versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
