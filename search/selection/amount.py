"""Amounts as typed by users: `20k`, `2M`, `1.5G`, or a share of the teacher's such as `10%`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context

_SUFFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_WRITTEN = re.compile(r"(-?)(\d+\.?\d*|\.\d+)\s*([kMG%]?)", re.ASCII)
COST = "a number with k, M or G, or a share such as 10%"
QUALITY = "a number, or a share of the teacher's such as 97%"


@dataclass(frozen=True)
class Amount:
    """A finite number, else a ValueError: absolute, or a share of at least 0 of the teacher's figure (.1 is 10 %)."""

    value: float
    is_share: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"amount: expected a finite number, got {self.value}")
        if self.is_share and self.value < 0:
            raise ValueError(f"amount: expected a share of at least 0, got {self.value}")

    def __str__(self) -> str:
        return f"{plain(100 * self.value, 6)}%" if self.is_share else plain(self.value, 15)


def plain(number: float, digits: int, rounding: str = ROUND_HALF_EVEN) -> str:
    """Write a number with `digits` significant digits, without trailing zeros or an exponent, ready to type."""
    rounded = Context(prec=digits, rounding=rounding).create_decimal(repr(float(number)))
    return f"{rounded.normalize():f}"


def parse_amount(text: str, option: str = "amount", *, of_quality: bool = False) -> Amount:
    """Read an amount; ValueError that names `option`, such as `--max-params`, for any other text.

    An amount `of_quality` may be below 0, as an R2 may be; a share, or a cost, may not.
    """
    match = _WRITTEN.fullmatch(text.strip())
    number = float(match[2]) if match else math.inf
    is_negative = match is not None and bool(match[1])
    if match is not None and is_negative and not of_quality and math.isfinite(number):
        raise ValueError(f"{option} must be above 0, got {text.strip()}")
    if match is None or not math.isfinite(number) or (is_negative and match[3] == "%"):
        raise ValueError(f"{option}: expected {QUALITY if of_quality else COST}, got {text!r}")
    if match[3] == "%":
        return Amount(number / 100, is_share=True)
    return Amount((-number if is_negative else number) * _SUFFIXES[match[3]])
