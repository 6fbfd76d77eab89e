"""What the verbs for stored models say in words: a table each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from paretune.words import new_table


def robustness_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Results of `paretune.robustness`, a point a row."""
    first = found[0]
    table = new_table("point", "trial", "student", "sparsity", "bits", "clean", *first["corrupted"])
    unit = first["unit"]
    for one in found:
        values = [one["clean"], *one["corrupted"].values()]
        table.add_row(*_point(one), *(f"{value:.4g}" if unit else f"{value:.4f}" for value in values))
    table.title = (
        f"{first['study']}: {first['quality']}{f' in {unit}' if unit else ''} on {first['images']} test images, "
        f"corrupted at severity {first['severity']} of 5"
    )
    return table


def _point(row: Mapping[str, Any]) -> list[str]:
    return [
        row["point"][:8],
        str(row["trial"]),
        row["student"].replace("[", "\\["),
        f"{row['sparsity']:.0%}",
        row["variant"],
    ]
