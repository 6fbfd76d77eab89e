"""Foresee the latency of a network on a target, before any training, from its work and the times of sample blocks.

The time of a pass is a sum over the kernels of the network: so many milliseconds a kernel, a multiplication, a value
read or written (`compress/latency/kernels.py`). The rates, none below zero, are fitted to blocks that were timed once
on the target (`compress/latency/sample_blocks.py`). No network of the search is among the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from compress.errors import RecipeError, said
from compress.latency.forms import opened, timed
from compress.latency.kernels import work
from compress.latency.sample_blocks import sample_blocks
from compress.latency.target import Target
from compress.measure import machine_name
from compress.measurement import Measurement

BLOCKS, INT8_BLOCKS = 600, 40
"""Blocks timed for a target. As ONNX, blocks with int8 layers take a second each, for their export is slow."""
BLOCK_SECONDS = 0.06
"""Time for timing a block."""
CACHED = 262_144
"""Weights that stay in the processor's cache from one pass to the next: a megabyte of floats."""
ROUNDS, CLOSE, MOST_STEPS = 10, 0.05, 100_000
"""Rounds of a fit that trusts blocks far off less, the share within which all count alike, steps of the solver."""
FORM = 1
"""Form of the JSON; another form is not read."""

FIXED = " one"
"""End of the names of amounts that do not fall with the channels: numbers of kernels."""
Work = Mapping[str, float]


@dataclass(frozen=True)
class Foreseen:
    """Milliseconds an image, and the part that stays when channels are cut."""

    ms: float
    fixed_ms: float


@dataclass(frozen=True)
class LatencyModel:
    """Milliseconds by kind of work, `rates`, on a target; `machine` names processor and versions."""

    target: Target
    machine: str
    rates: Mapping[str, float]

    def foresee(self, model: nn.Module, shape: tuple[int, int, int]) -> Foreseen:
        """Foresee a pass over images (C, H, W); the model is in eval mode afterwards.

        RecipeError for a network whose pass cannot be followed.
        """
        try:
            found = _amounts(work(model, shape, self.target))
        except Exception as error:  # of a user's own network
            raise RecipeError(f"latency: the network's pass cannot be followed ({said(error)})") from error
        parts = {name: self.rates.get(name, 0.0) * amount for name, amount in found.items()}
        fixed = sum(ms for name, ms in parts.items() if name.endswith(FIXED))
        return Foreseen(sum(parts.values()), fixed)

    def into(self, measured: Measurement, model: nn.Module, shape: tuple[int, int, int]) -> Measurement:
        """Return the figures of a model with its foreseen latency, which is of the target."""
        ms = round(self.foresee(model, shape).ms, 6)
        return replace(
            measured,
            latency_ms=ms,
            latency_p95_ms=ms,
            device=str(self.target),
            machine=self.machine,
            threads=self.target.threads,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the model as JSON; `from_json` reads it back."""
        return {"form": FORM, "target": str(self.target), "machine": self.machine, "rates": dict(self.rates)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> LatencyModel:
        """Read `as_json` back; ValueError, KeyError or TypeError for anything else."""
        if found["form"] != FORM:
            raise ValueError(f"target: form {found['form']!r} is of another version")
        rates = {str(name): float(rate) for name, rate in found["rates"].items()}
        return cls(Target.parse(found["target"]), str(found["machine"]), rates)


def calibrated(target: Target, told: Callable[[int, int], None] = lambda done, of: None) -> LatencyModel:
    """Time the sample blocks on this machine, alone, and fit the rates; `told(done, of)` hears of every block.

    Takes a minute or two. ExportError or RecipeError where the target cannot be run here.
    """
    target.check_here()
    of, works, times = BLOCKS + INT8_BLOCKS, list[Work](), list[float]()
    for count, is_int8 in ((BLOCKS, False), (INT8_BLOCKS, True)):
        for block in sample_blocks(count, int8=is_int8):
            works.append(_amounts(work(block.model, block.shape, target)))
            times.append(timed(opened(block.model, block.shape, target), target, BLOCK_SECONDS).median_ms)
            told(len(works), of)
    return LatencyModel(target, machine_of(target), fit(works, times))


def machine_of(target: Target) -> str:
    """Return what a latency on the target depends on besides: processor or GPU, and versions."""
    if target.device == "cuda":
        import torch

        return f"{torch.cuda.get_device_name()}, {machine_name()}"
    if target.form == "onnx":
        from importlib.metadata import version

        return f"{machine_name()}, onnxruntime {version('onnxruntime')}"
    return machine_name()


def fit(works: Sequence[Work], times: Sequence[float]) -> dict[str, float]:
    """Return the milliseconds by kind of work that explain the times, each error a share of its time."""
    from scipy.optimize import nnls

    names = sorted({name for one in works for name in one})
    rows = np.array([[one.get(name, 0.0) for name in names] for one in works]) / np.array(times)[:, None]
    scale = np.maximum(rows.max(0), 1e-30)
    rows, trust = rows / scale, np.ones(len(times))
    for _ in range(ROUNDS):
        found, _ = nnls(rows * trust[:, None], trust, maxiter=MOST_STEPS)
        trust = 1 / np.maximum(abs(rows @ found - 1), CLOSE) ** 0.5
    return {name: float(rate) for name, rate in zip(names, found / scale, strict=True) if rate > 0}


def _amounts(found: Work) -> dict[str, float]:
    """Return the work without the weights that stay in the processor's cache."""
    return {**found, "cold weights": max(0.0, found["cold weights"] - CACHED)}
