"""Measure a model: quality, size, compute, latency.

Every figure can be recomputed from the stored model: `params` are the elements of all parameters, `nonzero_params` the
elements other than zero, `macs` are of a single image, FLOPs are two a MAC.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from compress.data.splits import Split
from compress.data.tasks import Task
from compress.machine.numerics import exact
from compress.measurement import Measurement
from compress.pruning.macs import count_macs
from compress.store.files import Files

BATCH = 512
"""Batch size of accuracy measurements."""


@dataclass(frozen=True)
class Costs:
    """Costs that are known without training; fields as in `Measurement`."""

    params: int
    nonzero_params: int
    macs: int


def count(model: nn.Module, shape: tuple[int, int, int]) -> Costs:
    """Count the parameters and MACs of a module for one image of `shape` (C, H, W)."""
    parameters = list(model.parameters())
    return Costs(
        params=sum(p.numel() for p in parameters),
        nonzero_params=sum(int(p.count_nonzero()) for p in parameters),
        macs=count_macs(model, torch.zeros(1, *shape, device=parameters[0].device)),
    )


@exact()
def accuracy(model: Callable[[Tensor], Tensor], split: Split, batch_size: int = BATCH) -> float:
    """Return the share, in [0, 1], of the split's images whose largest logit is that of the label."""
    right = torch.zeros((), dtype=torch.long, device=split.device)
    with torch.no_grad():
        for batch in split.batches(batch_size):
            right += (model(batch.images).argmax(1) == batch.targets).sum()
    return int(right) / len(split)


def grade(model: Callable[[Tensor], Tensor], task: Task, split: Split) -> tuple[float, dict[str, float]]:
    """Return the score of a model on a split of the task, and its metrics in their own units, by name.

    There are no metrics where accuracy is the only quality. A score is at most 1. MetricError if a metric fails.
    """
    goal = task.goal
    if goal.counts_right and not goal.also_metrics():
        return accuracy(model, split), {}
    meters = [goal.metric(), *goal.also_metrics()]
    with torch.no_grad(), exact():
        for batch in split.batches(BATCH):
            outputs = model(batch.images).float().cpu()
            for meter in meters:
                meter.update(outputs, batch.targets.cpu())
    values = {meter.name: meter.compute() for meter in meters}
    return min(1.0, task.quality.score(values[task.quality.name])), values


def latency(
    model: Callable[[Tensor], Tensor],
    shape: tuple[int, int, int],
    *,
    batch: int = 1,
    calls: int = 30,
    device: torch.device | None = None,
) -> tuple[float, float]:
    """Return the median and 95th percentile, in ms, of a forward pass of `batch` images after three warm-up calls.

    `device` defaults to the CPU.
    """
    device = device or torch.device("cpu")
    images = torch.zeros(batch, *shape, device=device)
    times = []
    with torch.inference_mode():
        for _ in range(calls + 3):
            start = time.perf_counter()
            model(images)
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append((time.perf_counter() - start) * 1000)
    median, p95 = np.percentile(times[3:], (50, 95))
    return float(median), float(p95)


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Let torch compute with `count` threads while the context lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure(model: nn.Module, task: Task, files: Files) -> Measurement:
    """Measure all figures of a model stored in `files`; `seconds` is 0, for the caller to fill."""
    shape = task.shape
    scores: dict[str, float] = {}
    metrics: dict[str, float] = {}
    for name in ("validation", "test"):
        scores[name], values = grade(model, task, getattr(task, name))
        metrics |= {f"{metric}_{name}": value for metric, value in values.items()}
    costs = count(model, shape)
    median, p95 = latency(model, shape, device=next(model.parameters()).device)
    return Measurement(
        score_validation=scores["validation"],
        score_test=scores["test"],
        params=costs.params,
        nonzero_params=costs.nonzero_params,
        macs=costs.macs,
        size_bytes=files.size_bytes,
        compressed_bytes=files.compressed_bytes,
        latency_ms=median,
        latency_p95_ms=p95,
        device=device_name(next(model.parameters()).device),
        threads=torch.get_num_threads(),
        seconds=0.0,
        machine=machine_name(),
        metrics=metrics,
    )


def machine_name() -> str:
    """Return the processor's name and the version of torch, on which figures depend too."""
    return f"{processor()}, torch {torch.__version__.partition('+')[0]}"


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the processor's name, or its architecture where the system gives no name."""
    try:
        with open("/proc/cpuinfo") as info:
            lines = info.read().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def device_name(device: torch.device) -> str:
    """Return the GPU's name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
