"""A model in the form of a target, ready to run, and the time of its pass, alone."""

from __future__ import annotations

import io
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compress.errors import said
from compress.export.graph import ExportFailed
from compress.latency.target import ONNX, Target
from compress.measure import using_threads
from compress.quantize.int8 import Int8Conv2d, Int8Linear

ROUNDS = 3
"""Rounds of a timing; the quickest median counts, for disturbance only slows a model down."""
SECONDS = 0.3
"""Time for all rounds of a model; slow models take `LEAST` passes a round."""
LEAST, MOST = 5, 50
"""Passes of a round."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds an image: the median and the 95th percentile of the quickest round."""

    median_ms: float
    p95_ms: float


def opened(model: nn.Module, shape: tuple[int, int, int], target: Target) -> Callable[[], Any]:
    """Return a function that runs one pass of the target's batch; ExportFailed if the model lacks the form."""
    try:
        if target.form == ONNX:
            return _session(model, shape, target)
        return _program(model, shape, target)
    except Exception as error:  # ours, or of many classes of torch and onnxruntime
        raise error if isinstance(error, ExportFailed) else ExportFailed(f"{target}: {said(error)}") from error


def _program(model: nn.Module, shape: tuple[int, int, int], target: Target) -> Callable[[], Any]:
    from compress.export.graph import program  # a quarter of a second that a worker can spare

    device = torch.device(target.device)
    made = program(model.to(device), shape).module()
    images = torch.zeros(target.batch, *shape, device=device)

    def run() -> Tensor:
        with torch.inference_mode():
            logits: Tensor = made(images)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return logits

    run()
    return run


def timed(run: Callable[[], Any], target: Target, seconds: float = SECONDS) -> Timing:
    """Time passes with the target's threads, after two passes that warm up."""
    with using_threads(target.threads):
        run()
        once = _once(run)
        calls = int(min(MOST, max(LEAST, seconds / ROUNDS / max(once, 1e-9))))
        rounds = [[_once(run) * 1000 / target.batch for _ in range(calls)] for _ in range(ROUNDS)]
    medians = [float(np.median(one)) for one in rounds]
    best = min(range(ROUNDS), key=medians.__getitem__)
    return Timing(medians[best], float(np.percentile(rounds[best], 95)))


def _once(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _session(model: nn.Module, shape: tuple[int, int, int], target: Target) -> Callable[[], Any]:
    """Return a pass by onnxruntime of the file of torch's older exporter, or of the export's where that cannot be run.

    The older exporter is far quicker. onnxruntime optimises both files to the same kernels:
    `python -m benchmarks.latency` compares the times.
    """
    if not any(isinstance(layer, Int8Conv2d | Int8Linear) for layer in model.modules()):
        with suppress(Exception):  # an operation unknown to the older exporter, or a batch that it made a constant
            return _run(_quick_onnx(model, shape), shape, target)
    from compress.export.onnx_export import write_onnx

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        write_onnx(model, shape, file)
        return _run(file.read_bytes(), shape, target)


def _quick_onnx(model: nn.Module, shape: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            model.eval(),
            (torch.zeros(1, *shape),),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["images"],
            dynamic_axes={"images": {0: "batch"}},
        )
    return buffer.getvalue()


def _run(proto: bytes, shape: tuple[int, int, int], target: Target) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = target.threads, 1
    options.log_severity_level = 4  # an error is raised as well
    session = onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    images = {session.get_inputs()[0].name: np.zeros((target.batch, *shape), np.float32)}
    session.run(None, images)
    return lambda: session.run(None, images)
