"""Quantization: `QUANTIZERS` by name, one file a method."""

from __future__ import annotations

from compress.quantize.int8 import Int8
from compress.quantize.quantizer import Quantizer

QUANTIZERS: dict[str, type[Quantizer]] = {method.name: method for method in (Int8,)}

__all__ = ["QUANTIZERS", "Int8", "Quantizer"]
