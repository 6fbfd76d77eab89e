"""A study's table as text: markdown, CSV and LaTeX.

Markdown and LaTeX have a cell a place, `mean ± deviation`, the best of a column in bold, `-` where there is no model,
and notes beneath. CSV is for programs: a line for each place, with plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paretune.words.fitted_table import Column, FittedTable
from search.study.axes import SPARSITY
from search.study.table import Cell, Key, StudyTable
from search.study.table_figures import figure_key, is_better
from search.table_forms import (
    LATEX_MISSING,
    MISSING,
    NEEDS,
    is_percent,
    latex_lines,
    markdown_lines,
    mean_and_deviation,
)
from search.table_forms import latex as escaped

_WIDE = 12
"""Columns beyond which a note says how to have fewer."""
STAR = "*"
"""Mark of the best cells where no letters are bold."""
_NAMED = 6
"""Missing places that are listed in a note."""


def check_format(form: str) -> str:
    """Return the format; ValueError for an unknown format."""
    if form not in FORMATS:
        raise ValueError(f"table: format: unknown {form!r}, known are {', '.join(FORMATS)}")
    return form


def markdown(table: StudyTable) -> str:
    """Return the title, a table of GitHub's markdown, and the notes."""
    lines = markdown_rows(table)
    return "\n".join([title(table), *ahead(table), "", *lines, "", *notes(table)])


def markdown_rows(table: StudyTable) -> list[str]:
    """Return the lines of the table alone."""
    head = [*table.row_names, *(_over(table, column) for column in table.columns)]
    rows = [
        [*table.row_words(row), *(_marked(table, row, column, "**", "**") for column in table.columns)]
        for row in table.rows
    ]
    return markdown_lines(head, rows, len(table.row_names))


def fitted(table: StudyTable) -> FittedTable:
    """Return the table for a narrow terminal: a row's names in one column, the best cells marked by `STAR`."""
    heads = [_over(table, column) for column in table.columns]
    if table.column_names == (SPARSITY,):
        heads = _told_apart([float(value or 0.0) for (value,) in table.columns])
    found = FittedTable([Column(", ".join(table.row_names), words=True), *map(Column, heads)])
    for row in table.rows:
        cells = (_marked(table, row, column, "", STAR) for column in table.columns)
        found.add_row(", ".join(table.row_words(row)), *cells)
    return found


def latex(table: StudyTable) -> str:
    """Return a `tabular` in the style of booktabs, all words escaped; title and notes are comments above."""
    rows = [
        [*map(escaped, table.row_words(row)), *(_latex_cell(table, row, column) for column in table.columns)]
        for row in table.rows
    ]
    head = [*table.row_names, *(_over(table, column) for column in table.columns)]
    comments, over = [title(table), *ahead(table), *notes(table), NEEDS], " / ".join(table.column_names)
    return "\n".join(latex_lines(head, rows, len(table.row_names), comments=comments, over=over))


def csv(table: StudyTable) -> str:
    """Return a line for each place with its names' values, mean, deviation, seeds, recipes and whether it is best.

    Numbers are as measured: an accuracy in [0, 1]. A place without a model has no mean.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    for place in ((row, column) for row in table.rows for column in table.columns):
        cell = table.cells.get(place)
        known = cell.as_json() if cell is not None else {"seeds": 0, "recipes": 0, "is_best": False}
        figures = {name: known.get(name) for name in ("mean", "deviation", "seeds", "recipes", "is_best")}
        rows.append({**table.named(place), **figures})
    text: str = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    return text.rstrip("\n")


FORMATS: dict[str, Callable[[StudyTable], str]] = {"md": markdown, "csv": csv, "latex": latex}


def table_text(table: StudyTable, form: str = "md") -> str:
    """A table of `paretune.table` as text: `md`, `csv` or `latex`; ValueError for another format."""
    return FORMATS[check_format(form)](table)


def title(table: StudyTable) -> str:
    """Return the title of a table: study, figure, names, and the number of seeds behind a mean."""
    least, most = table.seeds
    over = f"mean ± standard deviation over {most} seeds" if most > 1 else "of one seed"
    if 1 < most != least:
        over = f"mean ± standard deviation over up to {most} seeds, their number in brackets"
    by = (
        f"{', '.join(table.row_names)} by {', '.join(table.column_names)}"
        if table.column_names
        else ", ".join(table.row_names)
    )
    unit = " in %" if is_percent(table.figure) else ""
    return f"{table.study}: {table.figure.axis}{unit}, {by}; {over}"


def ahead(table: StudyTable) -> list[str]:
    """Return what is to be read before a table: how to have fewer columns, where there are many."""
    if len(table.columns) <= _WIDE:
        return []
    return [f"{len(table.columns)} columns: --only {table.column_names[0]}=VALUE,VALUE keeps some."]


def notes(table: StudyTable, mark: str = "Bold") -> list[str]:
    """Return a sentence on everything the cells do not say; `mark` is how the best cells are marked."""
    found = []
    better = is_better(table.figure)
    if better is None:
        found.append(f"No {mark.lower()}: the study does not record whether a high or a low value is better.")
    if any(cell.is_best for cell in table.cells.values()):
        found.append(f"{mark}: the {'lowest' if better == 'lower' else 'highest'} mean of each column.")
    if table.missing:
        named = [
            " at ".join(filter(None, (", ".join(table.row_words(r)), ", ".join(table.column_words(c)))))
            for r, c in table.missing
        ]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        found.append(f"{MISSING}: no model of {'; '.join(named[:_NAMED])}{more}.")
    most = max(cell.recipes for cell in table.cells.values())
    if most > 1:
        several = sum(cell.recipes > 1 for cell in table.cells.values())
        found.append(
            f"Several recipes in {several} of {len(table.cells)} cells, up to {most}: the best on validation is shown. "
            f"They differ in {', '.join(table.differ) or 'settings that have no name'}; "
            "--only NAME=VALUE or a further name in --rows tells them apart."
        )
    for name, count in (table.left_out or {}).items():
        found.append(f"Left out: {count} {'models' if count > 1 else 'model'} without {name}.")
    if table.only:
        found.append(f"Only {', '.join(table.only)}.")
    if table.teacher is not None:
        found.append(f"The plain teacher: {_cell(table, table.teacher)}.")
    if table.running:
        found.append(f"{table.running} {'trials are' if table.running > 1 else 'trial is'} still running.")
    if table.mixed:
        found.append(f"{table.mixed[0].upper()}{table.mixed[1:]}.")
    return found


def _over(table: StudyTable, column: Key) -> str:
    """Return the head of a column: its value, of several names each with its name, or the figure without any."""
    words = table.column_words(column)
    if len(words) > 1:
        return ", ".join(f"{name} {word}" for name, word in zip(table.column_names, words, strict=True))
    return words[0] if words else figure_key(table.figure)


def _told_apart(shares: Sequence[float]) -> list[str]:
    """Return shares in percent, with the fewest decimals by which no two are written alike."""
    texts = [[f"{share:.{decimals}%}" for share in shares] for decimals in range(3)]
    return next((each for each in texts if len(set(each)) == len(each)), texts[-1])


def _marked(table: StudyTable, row: Key, column: Key, before: str, after: str) -> str:
    cell = table.cells.get((row, column))
    if cell is None:
        return MISSING
    text = _cell(table, cell)
    return f"{before}{text}{after}" if cell.is_best else text


def _cell(table: StudyTable, cell: Cell) -> str:
    least, most = table.seeds
    count = f" ({cell.seeds})" if least != most else ""
    return f"{mean_and_deviation(table.figure, cell.mean, cell.deviation)}{count}"


def _latex_cell(table: StudyTable, row: Key, column: Key) -> str:
    text = escaped(_marked(table, row, column, "", ""))
    cell = table.cells.get((row, column))
    if cell is None:
        return LATEX_MISSING
    return rf"\textbf{{{text}}}" if cell.is_best else text
