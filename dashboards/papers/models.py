"""A paper's figures of whole models: channels left by layer, and attention maps; of the study's own seed."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from compress.data.tasks import Task
from compress.inspection.layers import compare, original
from compress.store.bucket import open_store
from compress.store.files import Files
from dashboards.attention import AttentionMaps, attention_section
from dashboards.page import Column, paragraph, section, table
from search.papers.values import Values
from spaces.papers.paper import Cell, Layers, Maps

IMAGES = 6
GONE = "0"
NONE = "No model of this figure yet."


def layers_section(picture: Layers, values: Values) -> str:
    """Return a section: a row for each layer, with the channels of each model; unpruned in the first column."""
    title, files = f"{picture.number}: {picture.title}", _files(picture.models, values)
    if not files:
        return section(title, paragraph(NONE))
    pairs = {name: compare(original(one), one.module()) for name, one in files.items()}
    paths = list(dict.fromkeys(path for pair in pairs.values() for path in pair))
    first = next(iter(pairs.values()))
    rows = []
    for path in paths:
        before = first[path].before if path in first else None
        now = [pair[path].now if path in pair else None for pair in pairs.values()]
        rows.append([path, str(before.channels) if before else "", *(str(one.live) if one else GONE for one in now)])
    columns = [Column("layer", "word"), Column("as built"), *map(Column, pairs)]
    return section(title, table(columns, rows))


def maps_section(picture: Maps, values: Values, task: Task) -> str:
    """Return a section with the attention maps of the models on test images, always the same images."""
    title, files = f"{picture.number}: {picture.title}", _files(picture.models, values)
    if not files:
        return section(title, paragraph(NONE))
    models: dict[str, nn.Module] = {name: one.module().eval() for name, one in files.items()}
    found = AttentionMaps.of(models, task, IMAGES, None, {name: name for name in models})
    return section(title) + attention_section(found)


def _files(cells: Mapping[str, Cell], values: Values) -> dict[str, Files]:
    """Return the stored models of cells by name, those of the study's own seed that are still stored."""
    store, found = open_store(values.record.store), {}
    for name, cell in cells.items():
        point = values.points(cell).get(values.seed)
        entry = None if point is None else store.get(point.id)
        if entry is not None:
            found[name] = entry.files()
    return found
