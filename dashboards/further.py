"""Sections that a report has on request, after its own: other studies beside it, robustness, attention maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from dashboards.page import Column, paragraph, section, table


@dataclass(frozen=True)
class Further:
    """A section as HTML, and the figures that its slots are filled with, by name."""

    html: str
    figures: Mapping[str, go.Figure] = field(default_factory=dict)


def robustness_section(found: Sequence[Mapping[str, Any]]) -> Further:
    """Return the section on results of `paretune.robustness`, a point a row."""
    first = found[0]
    names, unit = [*first["corrupted"]], f" in {first['unit']}" if first["unit"] else ""
    columns = [Column("point", "word"), Column("student", "word"), Column("sparsity"), Column("bits", "word")]
    rows = []
    for one in found:
        values = (one["clean"], *(one["corrupted"][name] for name in names))
        texts = (f"{value:.4g}" if first["unit"] else f"{value:.4f}" for value in values)
        rows.append([one["point"][:8], one["student"], f"{one['sparsity']:.0%}", one["variant"], *texts])
    text = (
        f"{first['quality']}{unit} on {first['images']} test images, clean and corrupted at severity "
        f"{first['severity']} of 5. All models see the same corrupted images."
    )
    made = table([*columns, *map(Column, ("clean", *names))], rows)
    return Further(section("Robustness", paragraph(text[0].upper() + text[1:]), made))
