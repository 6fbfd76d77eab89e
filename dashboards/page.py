"""One self-contained HTML page: its frame, its tables, and how Plotly figures get into it.

Nothing is fetched: plotly.js stands in the page once, and a content security policy forbids every
connection. All text goes through `html.escape`, and figures as JSON in which no `<` is left that could end
their script.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from dashboards.style import CSS, SCRIPT


@dataclass(frozen=True)
class Column:
    """A table's column: `figure` is set to the right, `word` to the left, `prose` may break and is quieter."""

    title: str
    kind: Literal["figure", "word", "prose"] = "figure"


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of plain texts, one a column; it scrolls sideways where the screen is narrow."""
    kinds = [column.kind for column in columns]
    head = "".join(
        f'<th class="{kind}" scope="col">{html.escape(column.title)}</th>'
        for kind, column in zip(kinds, columns, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(f'<td class="{k}">{html.escape(cell)}</td>' for k, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def section(title: str, *parts: str) -> str:
    """A heading and ready HTML under it."""
    return f"<section>\n<h2>{html.escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def slot(name: str, figure: go.Figure, caption: str) -> str:
    """Where the figure of that name in `page(figures=)` is drawn, with what it shows in words under it."""
    words = html.escape(caption)
    height = int(figure.layout.height)
    return (
        f'<figure><div class="plot" id="{html.escape(name)}" role="img" aria-label="{words}" '
        f'style="height:{height}px"></div><figcaption>{words}</figcaption></figure>'
    )


def page(title: str, body: str, figures: Mapping[str, go.Figure]) -> str:
    """The whole document; `body` is ready HTML that has a `slot` for each figure."""
    drawings = {name: json.loads(figure.to_json()) for name, figure in figures.items()}
    drawn = json.dumps(drawings, ensure_ascii=False).replace("<", "\\u003c")
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>
{CSS}</style>
</head>
<body>
<main>
{body}
</main>
<script>{get_plotlyjs()}</script>
<script>
const figures = {drawn};
{SCRIPT}</script>
</body>
</html>
"""
