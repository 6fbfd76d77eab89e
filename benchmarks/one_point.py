"""What one point of a recipe's curve is made from: the cost of a trial that asks about no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compress.plan import Step


def variant(choices: Mapping[str, Any]) -> str:
    """Which curve is asked about."""
    return "int8" if choices["int8"] else "float"


def chain(steps: Sequence[Step], choices: Mapping[str, Any]) -> list[Step]:
    """Of a recipe's steps those that the one nearest to the sparsity asked for needs; it comes last."""
    there = [step for step in steps if step.variant == variant(choices)]
    step: Step | None = min(there, key=lambda one: abs((one.sparsity or 0.0) - choices["sparsity"]))
    found: list[Step] = []
    while step is not None:
        found.append(step)
        step = step.parent
    return found[::-1]
