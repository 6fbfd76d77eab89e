"""The figures of one model: what `compress.measure` finds and the store keeps. Needs nothing, not even torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

FLOPS_A_MAC = 2
"""A multiplication and an addition."""


@dataclass(frozen=True)
class Measurement:
    """The figures of one model.

    Accuracies in [0, 1]; `macs` for batch 1; `size_bytes` of the weights file as stored, `compressed_bytes` of the
    same file deflated (what zeros are worth); latencies in ms, batch 1, on `device` with `threads` threads, of the
    network run layer by layer; `seconds` is what making and measuring this model cost beyond the model it was made
    from. `machine` names the processor and the torch of all figures, "" of a record from before it was written down.
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
        """Floating point operations of one image: two a MAC."""
        return FLOPS_A_MAC * self.macs

    def is_of(self, other: Measurement) -> bool:
        """Whether both are of one and the same stored model, as far as figures tell: all are equal but the times."""
        return all(getattr(self, name) == getattr(other, name) for name in _KINDS if name not in TIMES)

    @property
    def fault(self) -> str:
        """The first figure that is none, and its value; "" if all are finite numbers, at least 0, of their kind."""
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
"""What is another figure whenever it is taken."""
_NUMBER: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "str": str}
_KINDS = {one.name: _NUMBER[str(one.type)] for one in fields(Measurement)}
