"""A self-contained HTML page: the document, its tables, its data and plotly.js.

The page fetches nothing; its content security policy forbids every connection. The page contains plotly.js gzipped
(2 MB in place of 4.8), for the browser to unpack (DecompressionStream). All text goes through `html.escape`. Data is
JSON with every `<` escaped: no text can end the script element.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from plotly.offline import get_plotlyjs

from dashboards.glossary import explained

SCRIPTS = ("budget", "needs", "words", "sliders", "look", "front", "curves", "plotly", "draw")
PICTURES = ("look", "plotly", "pictures")
"""Scripts of a page with figures made in Python alone."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True)
class Column:
    """Column of a table: `figure` is right-aligned, `word` left-aligned, `prose` wraps and is set in grey."""

    title: str
    kind: Literal["figure", "word", "prose"] = "figure"


@dataclass(frozen=True)
class Follows:
    """The models a table's rows are about: a table row is shown if any of its models is within the budget.

    `rows` has the rows of `Models` for every table row; `name` names the table rows in the plural, like `curves`.
    """

    name: str
    rows: Sequence[Sequence[int]]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], follows: Follows | None = None) -> str:
    """Return an HTML table of plain texts, a text for every column; on a narrow screen the table scrolls sideways."""
    kinds = [column.kind for column in columns]
    head = "".join(
        f'<th class="{kind}" scope="col">{heading(column.title)}</th>'
        for kind, column in zip(kinds, columns, strict=True)
    )
    about = [""] * len(rows)
    if follows is not None:
        about = [f' data-rows="{" ".join(map(str, models))}"' for models in follows.rows]
    body = "\n".join(
        f"<tr{models}>"
        + "".join(f'<td class="{k}">{html.escape(cell)}</td>' for k, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for models, row in zip(about, rows, strict=True)
    )
    caption = f"<caption>{len(rows)} {html.escape(follows.name)}</caption>" if follows else ""
    of = f' data-of="{html.escape(follows.name)}"' if follows else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="table"><table{of}>{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def heading(text: str) -> str:
    """Return a heading of plain text as HTML, with its explanation on hover where the glossary has one."""
    words = explained(text)
    return f'<abbr title="{html.escape(words)}">{html.escape(text)}</abbr>' if words else html.escape(text)


def section(title: str, *parts: str) -> str:
    """Return a section: a heading of plain text, and `parts` of HTML below."""
    return f"<section>\n<h2>{html.escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def slot(name: str, height: int, caption: str) -> str:
    """Return the element for the script to draw the figure `name` in, `height` pixels high, above its caption."""
    words = html.escape(caption)
    return (
        f'<figure><div class="plot" id="{html.escape(name)}" role="img" aria-label="{words}" '
        f'style="height:{height}px"></div><figcaption>{words}</figcaption></figure>'
    )


def page(title: str, body: str, study: Mapping[str, object], scripts: Sequence[str] = SCRIPTS) -> str:
    """Return the whole document; `body` is HTML, `study` the data for the page's scripts, ready for JSON."""
    script = "\n".join(web(f"{name}.js") for name in scripts)
    return _document(
        title,
        body,
        f"""<script type="application/json" id="study">{embedded(study)}</script>
<script type="text/plain" id="plotly">{packed_plotly()}</script>
<script>
const study = JSON.parse(document.getElementById("study").textContent);
{script}</script>
""",
    )


def still_page(title: str, body: str) -> str:
    """Return a document without scripts; `body` is HTML."""
    return _document(title, body, "")


def _document(title: str, body: str, scripts: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>
{web("style.css")}</style>
</head>
<body>
<main>
{body}
</main>
{scripts}</body>
</html>
"""


def embedded(value: object) -> str:
    """Return JSON with every `<` escaped, for a script element; ValueError for NaN or infinity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def web(name: str) -> str:
    """Return the text of a file in the folder `web`."""
    return files("dashboards").joinpath("web", name).read_text(encoding="utf-8")


@cache
def packed_plotly() -> str:
    """Return plotly.js, gzipped, as base64."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
