"""Pruning: `PRUNERS` by name, one file a method."""

from __future__ import annotations

from compress.pruning.l1_filter import L1Filter
from compress.pruning.l1_unstructured import L1Unstructured
from compress.pruning.pruner import Pruner
from compress.pruning.schedule import SCHEDULES, Cubic, Exponential, OneShot, Schedule

PRUNERS: dict[str, type[Pruner]] = {method.name: method for method in (L1Unstructured, L1Filter)}

__all__ = [
    "PRUNERS",
    "SCHEDULES",
    "Cubic",
    "Exponential",
    "L1Filter",
    "L1Unstructured",
    "OneShot",
    "Pruner",
    "Schedule",
]
