"""Distillation: `DISTILLERS` by name, one file a method."""

from __future__ import annotations

from compress.distill.distiller import Distiller, Outputs
from compress.distill.kd import KD

DISTILLERS: dict[str, type[Distiller]] = {method.name: method for method in (KD,)}

__all__ = ["DISTILLERS", "KD", "Distiller", "Outputs"]
