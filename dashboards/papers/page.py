"""The page of a paper's study, a single HTML file that fetches nothing."""

from __future__ import annotations

import html
import json

from dashboards.page import PICTURES, page, paragraph, section, slot
from dashboards.papers import pictures
from dashboards.papers.tables import of_tables, of_verdicts
from search.papers.text import Reproduction
from search.papers.values import Values


def paper_page(found: Reproduction, values: Values) -> str:
    """Return the page: title, notes, claims, tables, and the paper's figures."""
    asked = found.paper.pictures(values.record.task)
    drawn = pictures.made(asked, values)
    names = {one.number: f"{one.number}: {one.title}" for one in asked}
    body = [
        f"<h1>{html.escape(found.heading)}</h1>",
        *map(paragraph, found.notes),
        of_verdicts(found.verdicts),
        of_tables(found.tables),
        *(
            section(names[number], slot(number, int(made.layout.height), names[number]))
            for number, made in drawn.items()
        ),
    ]
    data = {"figures": {number: json.loads(made.to_json()) for number, made in drawn.items()}}
    return page(f"{found.paper.name} - Paretune", "\n".join(body), data, PICTURES)
