"""Figures of one model, measured by `compress.measure` and kept in the store. Imports nothing, not even torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

FLOPS_A_MAC = 2
"""A multiplication and an addition."""


@dataclass(frozen=True)
class Measurement:
    """Figures of one model.

    Scores are the quality on a split, higher is better: 1 is perfect, 0 or less is worthless (`compress/quality.py`).
    The score of an accuracy is the accuracy. `metrics` has qualities in their own units, by name and split, such as
    `mae_test`; empty where accuracy is the only quality. `macs` for batch 1; `size_bytes` of the weights file as
    stored, `compressed_bytes` of the same file deflated, which shows the worth of zeros; latencies in ms, batch 1, on
    `device` with `threads` threads, of the network run layer by layer, or of a target that `device` names
    (`compress/latency/target.py`); `seconds` is the time to make and measure the model, without the time of the model
    before. `machine` names the processor and the version of torch, "" in records from before the field.
    """

    score_validation: float
    score_test: float
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
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)

    def as_json(self) -> dict[str, Any]:
        """Return all fields by name, without empty `metrics`."""
        return {name: value for name, value in vars(self).items() if name != "metrics" or value}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Measurement:
        """Read back `as_json`, of earlier versions too; TypeError for an unknown or missing field."""
        return cls(**{_RENAMED.get(name, name): value for name, value in found.items()})

    @property
    def flops(self) -> int:
        """Return the floating point operations of one image: two a MAC."""
        return FLOPS_A_MAC * self.macs

    def is_of(self, other: Measurement) -> bool:
        """Return whether both can be of the same stored model: all figures but the times are equal."""
        return all(getattr(self, name) == getattr(other, name) for name in _KINDS if name not in (*TIMES, *PLACES))

    @property
    def fault(self) -> str:
        """Return name and value of the first invalid figure, or ""; all but scores and metrics are at least 0."""
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if name == "metrics":
                sound = isinstance(value, Mapping) and all(map(_is_finite, value.values()))
            elif name in SCORES:
                sound = _is_finite(value) and value <= 1 and (value >= 0 or bool(self.metrics))
            else:
                sound = isinstance(value, kind) and not isinstance(value, bool)
                sound = sound and (kind is str or (math.isfinite(value) and 0 <= value < MOST))
            if not sound:
                return f"{name} {str(value)[:50]}"
        return ""


SCORES = ("score_validation", "score_test")
MOST = 2.0**63
TIMES = ("latency_ms", "latency_p95_ms", "threads", "seconds")
"""Figures that change from one measurement to the next."""
PLACES = ("device", "machine")
"""Where the times are of: a target's, if the latency is foreseen."""
_RENAMED = dict(zip(("accuracy_validation", "accuracy_test"), SCORES, strict=True))
"""Fields of earlier versions."""
_NUMBER: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "str": str,
    "Mapping[str, float]": dict,
}
_KINDS = {field.name: _NUMBER[str(field.type)] for field in fields(Measurement)}


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
