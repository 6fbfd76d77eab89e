"""A model in the form of a target, ready to run, and the time of its pass, alone."""

from __future__ import annotations

import io
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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
    """Milliseconds of a pass: the median and the 95th percentile of the quickest round, and the spread of medians.

    `spread` is how much the slowest round's median exceeds the quickest's, as a share.
    """

    median_ms: float
    p95_ms: float
    spread: float


def opened(model: nn.Module, shape: tuple[int, int, int], target: Target) -> Callable[[], Any]:
    """Return a function that runs one pass of the target's batch; ExportFailed if the model lacks the form."""
    if target.form == ONNX:
        return _session(_onnx(model, shape), shape, target)
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

    return run


def timed(run: Callable[[], Any], target: Target, seconds: float = SECONDS) -> Timing:
    """Time a pass with the target's threads, after two passes that warm up."""
    with using_threads(target.threads):
        run()
        once = _once(run)
        calls = int(min(MOST, max(LEAST, seconds / ROUNDS / max(once, 1e-9))))
        rounds = [[_once(run) * 1000 for _ in range(calls)] for _ in range(ROUNDS)]
    medians = [float(np.median(one)) for one in rounds]
    best = min(range(ROUNDS), key=medians.__getitem__)
    spread = max(medians) / medians[best] - 1 if medians[best] else 0.0
    return Timing(medians[best], float(np.percentile(rounds[best], 95)), spread)


def _once(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _onnx(model: nn.Module, shape: tuple[int, int, int]) -> bytes:
    """Return the model as ONNX, by torch's older exporter where it knows all operations.

    The older exporter takes a fiftieth of the time. onnxruntime optimises both files to the same kernels:
    `python -m benchmarks.latency` compares the times.
    """
    from compress.export.onnx_export import LOGITS, write_onnx
    from compress.export.standalone import IMAGES

    if not any(isinstance(layer, Int8Conv2d | Int8Linear) for layer in model.modules()):
        buffer = io.BytesIO()
        try:
            with warnings.catch_warnings(action="ignore"):
                torch.onnx.export(
                    model.eval(),
                    (torch.zeros(1, *shape),),
                    buffer,  # type: ignore[arg-type]
                    dynamo=False,
                    input_names=[IMAGES],
                    output_names=[LOGITS],
                    dynamic_axes={IMAGES: {0: "batch"}},
                )
            return buffer.getvalue()
        except Exception:  # an operation unknown to the older exporter, which raises errors of many classes
            pass
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        write_onnx(model, shape, file)
        return file.read_bytes()


def _session(proto: bytes, shape: tuple[int, int, int], target: Target) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = target.threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    images = {session.get_inputs()[0].name: np.zeros((target.batch, *shape), np.float32)}
    return lambda: session.run(None, images)
