"""Rows of a table in which every figure has its bar beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line; `met` None for a figure that has no bar."""

    what: str
    bar: str
    got: str
    met: bool | None = None


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    said = {True: "met", False: "**missed**", None: ""}
    lines = ["| what | bar | measured | |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {row.what} | {row.bar} | {row.got} | {said[row.met]} |" for row in rows])
