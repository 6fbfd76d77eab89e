"""Amounts as typed by users: `20k`, `2M`, `1.5G`, or a share of the teacher's such as `10%`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context

_SUFFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_WRITTEN = re.compile(r"(\d+\.?\d*|\.\d+)\s*([kMG%]?)", re.ASCII)


@dataclass(frozen=True)
class Amount:
    """A finite number of at least 0, else a ValueError: absolute, or a share of the teacher's figure (.1 is 10 %)."""

    value: float
    is_share: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise ValueError(f"amount: expected a finite number of at least 0, got {self.value}")

    def __str__(self) -> str:
        return f"{plain(100 * self.value, 6)}%" if self.is_share else plain(self.value, 15)


def plain(number: float, digits: int, rounding: str = ROUND_HALF_EVEN) -> str:
    """Write a number with `digits` significant digits, without trailing zeros or an exponent, ready to type."""
    rounded = Context(prec=digits, rounding=rounding).create_decimal(repr(float(number)))
    return f"{rounded.normalize():f}"


def parse_amount(text: str, option: str = "amount") -> Amount:
    """Read an amount; ValueError that names `option`, such as `--max-params`, for any other text."""
    match = _WRITTEN.fullmatch(text.strip())
    number = float(match[1]) if match else math.inf
    if match is None or not math.isfinite(number):
        raise ValueError(f"{option}: expected a number with k, M or G, or a share such as 10%, got {text!r}")
    if match[2] == "%":
        return Amount(number / 100, is_share=True)
    return Amount(number * _SUFFIXES[match[2]])
