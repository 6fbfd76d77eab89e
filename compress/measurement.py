"""Figures of one model, measured by `compress.measure` and kept in the store. Imports nothing, not even torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

FLOPS_A_MAC = 2
"""A multiplication and an addition."""


@dataclass(frozen=True)
class Measurement:
    """Figures of one model.

    Accuracies in [0, 1]; `macs` for batch 1; `size_bytes` of the weights file as stored, `compressed_bytes` of the same
    file deflated, which shows the worth of zeros; latencies in ms, batch 1, on `device` with `threads` threads, of the
    network run layer by layer; `seconds` is the time to make and measure the model, without the time of the model
    before. `machine` names the processor and the version of torch, "" in records from before the field.
    """

    accuracy_validation: float
    accuracy_test: float
    params: int
    nonzero_params: int
    macs: int
    size_bytes: int
    compressed_bytes: int
    latency_ms: float
    latency_p95_ms: float
    device: str
    threads: int
    seconds: float
    machine: str = ""

    @property
    def flops(self) -> int:
        """Return the floating point operations of one image: two a MAC."""
        return FLOPS_A_MAC * self.macs

    def is_of(self, other: Measurement) -> bool:
        """Return whether both can be of the same stored model: all figures but the times are equal."""
        return all(getattr(self, name) == getattr(other, name) for name in _KINDS if name not in TIMES)

    @property
    def fault(self) -> str:
        """Return name and value of the first invalid figure; "" if all are finite, at least 0 and of the right type."""
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            sound = isinstance(value, kind) and not isinstance(value, bool)
            if kind is not str:
                sound = sound and math.isfinite(value) and 0 <= value < MOST
            if not sound or (name.startswith("accuracy") and value > 1):
                return f"{name} {str(value)[:50]}"
        return ""


MOST = 2.0**63
TIMES = ("latency_ms", "latency_p95_ms", "threads", "seconds")
"""Figures that change from one measurement to the next."""
_NUMBER: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "str": str}
_KINDS = {field.name: _NUMBER[str(field.type)] for field in fields(Measurement)}
