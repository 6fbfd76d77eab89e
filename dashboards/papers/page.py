"""The page of a paper's study, a single HTML file that fetches nothing."""

from __future__ import annotations

import html
import json

import plotly.graph_objects as go

from compress.data.tasks import Task
from dashboards.page import PICTURES, page, paragraph, section, slot
from dashboards.papers import curves, steps
from dashboards.papers.models import layers_section, maps_section
from dashboards.papers.tables import of_tables, of_verdicts
from search.papers.text import Reproduction
from search.papers.values import Values
from spaces.papers.paper import Curves, Layers, Maps, Picture, Steps


def paper_page(found: Reproduction, values: Values, task: Task) -> str:
    """Return the page: title, notes, claims, tables, and the paper's figures; `task` has images for attention maps."""
    asked = found.paper.pictures(values.record.task)
    drawn = {one.number: made for one in asked if (made := _drawn(one, values)) is not None}
    body = [
        f"<h1>{html.escape(found.heading)}</h1>",
        *map(paragraph, found.notes),
        of_verdicts(found.verdicts),
        of_tables(found.tables),
        *(_section(one, drawn, values, task) for one in asked),
    ]
    data = {"figures": {number: json.loads(made.to_json()) for number, made in drawn.items()}}
    return page(f"{found.paper.name} - Paretune", "\n".join(body), data, PICTURES)


def _drawn(picture: Picture, values: Values) -> go.Figure | None:
    """Return the figure of a picture that the page's script draws, None of any other."""
    if isinstance(picture, Curves):
        return curves.figure(picture, curves.info(picture, values), values)
    if isinstance(picture, Steps):
        return steps.figure(picture, steps.info(picture, values))
    return None


def _section(picture: Picture, drawn: dict[str, go.Figure], values: Values, task: Task) -> str:
    if isinstance(picture, Layers):
        return layers_section(picture, values)
    if isinstance(picture, Maps):
        return maps_section(picture, values, task)
    name = f"{picture.number}: {picture.title}"
    return section(name, slot(picture.number, int(drawn[picture.number].layout.height), name))
