"""One self-contained HTML page: its frame, its tables, and how its data and plotly.js get into it.

Nothing is fetched: plotly.js lies in the page once, gzipped, which makes 4.8 MB into 2, and a content security policy
forbids every connection. The browser unpacks it (DecompressionStream). All text goes through `html.escape`, and data as
JSON in which no `<` is left that could end its script.
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

SCRIPTS = ("budget", "needs", "words", "sliders", "look", "front", "curves", "draw")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True)
class Column:
    """A table's column: `figure` is set to the right, `word` to the left, `prose` may break and is quieter."""

    title: str
    kind: Literal["figure", "word", "prose"] = "figure"


@dataclass(frozen=True)
class Follows:
    """That a table's rows stay while a model they are about is within the budget: `rows` of `Models`, a list a row.

    `what` they are called, such as `curves`.
    """

    what: str
    rows: Sequence[Sequence[int]]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], follows: Follows | None = None) -> str:
    """An HTML table of plain texts, one a column; it scrolls sideways where the screen is narrow."""
    kinds = [column.kind for column in columns]
    head = "".join(
        f'<th class="{kind}" scope="col">{html.escape(column.title)}</th>'
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
    caption = f"<caption>{len(rows)} {html.escape(follows.what)}</caption>" if follows else ""
    of = f' data-of="{html.escape(follows.what)}"' if follows else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="table"><table{of}>{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def section(title: str, *parts: str) -> str:
    """A heading and ready HTML under it."""
    return f"<section>\n<h2>{html.escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def slot(name: str, height: int, caption: str) -> str:
    """Where the script draws the figure of that name, so high in pixels, with what it shows in words under it."""
    words = html.escape(caption)
    return (
        f'<figure><div class="plot" id="{html.escape(name)}" role="img" aria-label="{words}" '
        f'style="height:{height}px"></div><figcaption>{words}</figcaption></figure>'
    )


def page(title: str, body: str, study: Mapping[str, object]) -> str:
    """The whole document; `body` is ready HTML, `study` what its script reads, ready for JSON."""
    script = "\n".join(web(f"{name}.js") for name in SCRIPTS)
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
<script type="application/json" id="study">{embedded(study)}</script>
<script type="text/plain" id="plotly">{packed_plotly()}</script>
<script>
const study = JSON.parse(document.getElementById("study").textContent);
{script}</script>
</body>
</html>
"""


def embedded(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def web(name: str) -> str:
    """A file of the folder `web`."""
    return files("dashboards").joinpath("web", name).read_text(encoding="utf-8")


@cache
def packed_plotly() -> str:
    """plotly.js, gzipped, as base64."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
