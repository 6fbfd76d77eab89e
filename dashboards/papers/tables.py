"""A paper's filled tables and verdicts as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.page import Column, paragraph, section, table
from search.papers.fill import Filled, fill
from search.papers.text import READ, heading, judged, remarks, written
from search.papers.values import Values
from search.papers.verdict import Verdict, judge
from search.study.record import StudyRecord
from spaces.papers import PAPERS


def of_study(study: StudyRecord) -> str:
    """Return claims and tables of a study of a paper; "" for any other study, and before the first model of a table."""
    paper = PAPERS.get(study.space)
    if paper is None or study.scale is None:
        return ""
    values = Values(study)
    tables = fill(paper, study.task, values)
    if all(table.missing == len(table.entries) for table in tables):
        return ""
    verdicts = [judge(claim, values) for claim in paper.claims(study.task)]
    known = paragraph(f"In brackets what the paper published, of its own networks and data: {paper.source}.")
    return "\n".join([section(paper.title, known), of_verdicts(verdicts), of_tables(tables)])


def of_tables(tables: Sequence[Filled]) -> str:
    """Return a section for each table; a cell has mean and deviation, and the published figure in brackets."""
    return "\n".join(section(heading(one), _filled(one), *map(paragraph, remarks(one))) for one in tables)


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
    return section("Claims", paragraph(READ), table(columns, list(map(judged, verdicts))))


def _filled(one: Filled) -> str:
    columns = [Column("", "word"), *map(Column, one.table.columns)]
    rows = [
        [row, *(written(entry) if (entry := one.entries.get((row, name))) else "" for name in one.table.columns)]
        for row in one.table.rows
    ]
    return table(columns, rows)
