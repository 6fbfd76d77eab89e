"""A paper's filled tables and verdicts as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.page import Column, section, table
from search.papers.fill import Filled
from search.papers.text import heading, judged, written
from search.papers.verdict import Verdict


def of_tables(tables: Sequence[Filled]) -> str:
    """Return a section for each table; a cell has mean and deviation, and the published figure in brackets."""
    return "\n".join(section(heading(one), _filled(one)) for one in tables)


def of_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Return a section with the claims and their verdicts; "" without claims."""
    if not verdicts:
        return ""
    columns = [
        Column("claim", "prose"),
        Column("verdict", "word"),
        Column("pairs that agree"),
        Column("mean difference"),
        Column("p"),
    ]
    return section("Claims", table(columns, list(map(judged, verdicts))))


def _filled(one: Filled) -> str:
    columns = [Column("", "word"), *map(Column, one.table.columns)]
    rows = [
        [row, *(written(entry) if (entry := one.entries.get((row, name))) else "" for name in one.table.columns)]
        for row in one.table.rows
    ]
    return table(columns, rows)
