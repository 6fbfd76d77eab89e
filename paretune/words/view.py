"""What the verbs for stored models say in words: a table each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paretune.words.fitted_table import Brief, Column, FittedTable, figures

SEEN = 0.005
"""Least share of zeros that is shown."""
POINT = (
    Column("point", words=True),
    Column("trial", rank=2),
    Column("student", words=True),
    Column("sparsity"),
    Column("bits", words=True, rank=1),
)
"""Columns of what a row says of its point, as of `_point`."""


def robustness_table(found: Sequence[Mapping[str, Any]]) -> FittedTable:
    """Results of `paretune.robustness`, a point a row."""
    first = found[0]
    table = FittedTable([*POINT, *map(Column, ("clean", *first["corrupted"]))])
    unit = first["unit"]
    for one in found:
        values = [one["clean"], *one["corrupted"].values()]
        table.add_row(*_point(one), *(f"{value:.4g}" if unit else f"{value:.4f}" for value in values))
    table.title = (
        f"{first['study']}: {first['quality']}{f' in {unit}' if unit else ''} on {first['images']} test images, "
        f"corrupted at severity {first['severity']} of 5"
    )
    return table


def speed_table(found: Mapping[str, Any]) -> FittedTable:
    """A result of `paretune.speed`, a point a row; a cell has the ms of a pass and the measured speed-up."""
    points = found["points"]
    places = [(row["device"], row["batch"]) for row in points[0]["times"]]
    several = len({device for device, _ in places}) > 1
    heads = [f"{batch} on {device}" if several else f"batch {batch}" for device, batch in places]
    table = FittedTable([*POINT, Column("zeros", rank=1), Column("MACs"), Column("by MACs"), *map(Column, heads)])
    for one in points:
        times = [f"{row['median_ms']:.3g} ms {row['speedup']:.2f}x" for row in one["times"]]
        zeros = f"{one['zeros']:.0%}" if one["zeros"] >= SEEN else ""
        table.add_row(
            *_point(one), zeros, Brief(f"{one['macs']:,}", figures(one["macs"])), f"{one['theoretical']:.2f}x", *times
        )
    threads = f"{found['threads']} thread{'s' if found['threads'] > 1 else ''}"
    table.title = (
        f"{found['study']}: ms of a forward pass, speed-up against {found['against'][:8]}; {found['machine']}, "
        f"{threads} on the CPU, {found['form']}"
    )
    notes = ["zeros bring no speed: they are multiplied like other numbers"] * any(
        one["zeros"] >= SEEN for one in points
    )
    notes += ["int8 layers compute in float on rounded values"] * any("note" in one for one in points)
    table.caption = "; ".join(notes) or None
    return table


def layers_table(found: Mapping[str, Any]) -> FittedTable:
    """A result of `paretune.layers`, a layer a row, a point a column: channels now of channels before."""
    heads = [
        f"{row['point'][:8]} {row['sparsity']:.0%}{' int8' * (row['variant'] == 'int8')}" for row in found["points"]
    ]
    table = FittedTable([Column("layer", words=True), *map(Column, heads)])
    for layer in found["layers"]:
        table.add_row(layer["layer"], *map(_cell, layer["points"]))
    table.title = f"{found['study']}: channels of each layer, now/in the unpruned network"
    cells = [cell for layer in found["layers"] for cell in layer["points"] if cell is not None and cell["channels"]]
    words = {
        "r: rank of a factorized layer": any(cell["rank"] is not None for cell in cells),
        "zeros: share of zero weights": any(cell["zeros"] for cell in cells),
        "live: channels that are not all zeros": any(cell["live"] < cell["channels"] for cell in cells),
    }
    table.caption = "; ".join(word for word, is_used in words.items() if is_used) or None
    return table


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return ""
    if cell["channels"] is None:
        return f"gone, of {cell['original']}"
    parts = [f"{cell['channels']}/{cell['original']}" if cell["original"] is not None else f"{cell['channels']} added"]
    parts += [f"r {cell['rank']}"] * (cell["rank"] is not None)
    parts += [f"{cell['zeros'] / cell['weights']:.0%} zeros"] * (cell["zeros"] > 0)
    parts += [f"{cell['live']} live"] * (cell["live"] < cell["channels"])
    return ", ".join(parts)


def _point(row: Mapping[str, Any]) -> list[str]:
    return [
        row["point"][:8],
        str(row["trial"]),
        row["student"],
        f"{row['sparsity']:.0%}",
        row["variant"],
    ]
