"""A paper's filled tables and verdicts as text: markdown, CSV and LaTeX, the published figure beside each of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search.papers.fill import Entry, Filled
from search.papers.shared_work import SharedWork
from search.papers.values import BESIDE
from search.papers.verdict import LEVEL, Verdict
from search.study.record import JsonDict
from search.table_forms import (
    LATEX_MISSING,
    MISSING,
    NEEDS,
    is_percent,
    latex,
    latex_lines,
    markdown_lines,
    mean_and_deviation,
)
from spaces.papers.paper import Cell, Paper

SPLITS = ("validation", "test")
"""Figures that are qualities."""
READ = (
    "A claim is a list of pairs. It holds where every pair agrees and the mean difference is beyond chance, p below "
    f"{LEVEL}. It does not hold where the mean, or any pair alone, is beyond chance on the other side. A margin of the "
    "claim is added to every difference."
)


@dataclass(frozen=True)
class Reproduction:
    """A paper's study, evaluated: `setting` says of what task and scale, `machine` and `date` where and when.

    `trial_run` marks a run too short to have results. `seeds` is the number asked for. `part` names the restricted
    choices of a study of a part of the grid, "" for the whole. `folder` has the files, None before they are written.
    """

    paper: Paper
    study: str
    setting: str
    machine: str
    date: str
    seeds: int
    tables: tuple[Filled, ...]
    verdicts: tuple[Verdict, ...]
    work: SharedWork
    trial_run: bool = False
    part: str = ""
    folder: Path | None = None

    @property
    def heading(self) -> str:
        """Return the title with the mark of a trial run."""
        mark = "Trial run, no results: " if self.trial_run else ""
        return f"{mark}{self.paper.title}"

    @property
    def notes(self) -> list[str]:
        """Return sentences on where the figures come from."""
        cells = [entry for table in self.tables for entry in table.entries.values()]
        missing = sum(table.missing for table in self.tables)
        alone = self.seeds > 1 and any(entry.mean is not None and entry.deviation is None for entry in cells)
        spread = f"mean ± standard deviation over {self.seeds} seeds" if self.seeds > 1 else "of one seed"
        return [
            f"Study {self.study}: {self.setting}, {spread}. Measured on {self.machine}, {self.date}.",
            f"Published figures are in brackets ({self.paper.source}). They are of the paper's own networks and data.",
            *([f"A part of the grid, {self.part}; a study with another --name has the whole."] if self.part else []),
            *([f"{missing} of {len(cells)} cells have no model yet."] if missing else []),
            *(["A value without deviation is of one seed."] if alone else []),
            self.work.sentence,
        ]

    def as_json(self) -> JsonDict:
        """Return the form printed by `paretune reproduce --json`."""
        return {
            "paper": self.paper.name,
            "study": self.study,
            "setting": self.setting,
            "seeds": self.seeds,
            "trial_run": self.trial_run,
            "tables": [table.as_json() for table in self.tables],
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "trainings": {"alone": self.work.alone, "made": self.work.made},
            "folder": str(self.folder),
        }


def markdown(found: Reproduction) -> str:
    """Return title, notes, tables and verdicts in GitHub's markdown."""
    lines = [f"# {found.heading}", "", *_paragraphs(found.notes)]
    for table in found.tables:
        lines += [
            f"## {heading(table)}",
            "",
            *markdown_lines(*_cells(table), words=1),
            "",
            *_paragraphs(remarks(table)),
        ]
    if found.verdicts:
        head = ("claim", "verdict", "pairs that agree", "mean difference", "p")
        lines += [
            "## Claims",
            "",
            *_paragraphs([READ]),
            *markdown_lines(head, list(map(judged, found.verdicts)), words=2),
            "",
        ]
    return "\n".join(lines)


def latex_text(found: Reproduction) -> str:
    """Return a `table` for each table, its heading as caption, labelled `tab:` and its place; notes as comments above.

    The published figures in brackets are explained in each caption.
    """
    blocks = [f"% {line}" for line in (found.heading, *found.notes, NEEDS)]
    for place, table in enumerate(found.tables, 1):
        head, rows = _cells(table)
        shown = [[LATEX_MISSING if cell == MISSING else latex(cell) for cell in row] for row in rows]
        caption = latex(f"{heading(table)}. Published figures are in brackets.")
        blocks += ["", r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", rf"\label{{tab:{place}}}"]
        blocks += [*latex_lines(head, shown, 1), r"\end{table}"]
    return "\n".join(blocks)


def csv(found: Reproduction) -> str:
    """Return a line for each cell and seed, with plain numbers and the point's id.

    A cell without a value has a line without a seed.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    for table in found.tables:
        for (row, column), entry in table.entries.items():
            place = {
                "paper": found.paper.name,
                "table": table.table.number,
                "row": row,
                "column": column,
                "figure": entry.cell.figure,
                "published": entry.known,
                "trial_run": found.trial_run,
            }
            named = entry.points
            rows += [{**place, "seed": s, "value": value, "point": named[s]} for s, value in entry.values.items()]
            rows += [] if entry.values else [{**place, "seed": None, "value": None, "point": None}]
    text: str = pd.DataFrame(rows).astype({"seed": "Int64"}).to_csv(index=False, lineterminator="\n")
    return text


def heading(table: Filled) -> str:
    """Return number and title of a table, and where cells are in percent."""
    shares = [entry.cell.of is None and is_percent(entry.figure) for entry in table.entries.values()]
    unit = " (%)" if all(shares) else " (accuracies in %)" if any(shares) else ""
    return f"{table.table.number}: {table.table.title}{unit}"


def remarks(table: Filled) -> list[str]:
    """Return what is known of published figures of a table beside their values: contradictions, or who told them."""
    found: dict[str, list[str]] = {}
    for (row, column), entry in table.entries.items():
        if entry.published is not None and entry.published.note:
            found.setdefault(entry.published.note, []).append(f"{row}, {column}")
    return [f"Published {'; '.join(places)}: {note}" for note, places in found.items()]


def written(entry: Entry) -> str:
    """Return a cell: mean and deviation, the number of seeds if only one, and the published figure in brackets."""
    known = "" if entry.known is None else f" ({_form(entry, entry.known)})"
    if entry.mean is None:
        return f"{MISSING}{known}"
    if entry.cell.of is None:
        return f"{mean_and_deviation(entry.figure, entry.mean, entry.deviation)}{known}"
    return f"{_form(entry, entry.mean)}{known}"


def _form(entry: Entry, value: float) -> str:
    """Return a value in the cell's form, without a deviation."""
    if entry.cell.of is None:
        return mean_and_deviation(entry.figure, value, None)
    if entry.cell.by == "rate":
        return f"{value:.2f}x"
    if entry.cell.by == "decrease":
        return f"{100 * value:.1f}%"
    return ("+" if value > 0 else "") + mean_and_deviation(entry.figure, value, None)


def judged(verdict: Verdict) -> tuple[str, ...]:
    """Return the texts of a verdict: claim, answer, pairs that agree, mean difference, p."""
    return (
        verdict.claim.text,
        verdict.answer,
        f"{verdict.agree} of {verdict.known}" + (f" ({verdict.pairs} asked)" if verdict.known < verdict.pairs else ""),
        MISSING if verdict.difference is None else _difference(verdict.claim.pairs[0][0], verdict.difference),
        MISSING if verdict.p is None else f"{verdict.p:.3f}",
    )


def _difference(cell: Cell, value: float) -> str:
    """Return a mean difference in the unit of a claim's cells: of qualities and shares in points."""
    if cell.of is not None and cell.by == "rate":
        return f"{value:+.2f}x"
    if cell.figure.partition(BESIDE)[0] in SPLITS or (cell.of is not None and cell.by == "decrease"):
        return f"{100 * value:+.2f} points"
    return f"{value:+,.0f} {cell.figure.replace('_', ' ')}"


def _cells(table: Filled) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table; a place that the paper leaves out is empty."""
    rows = [
        [
            row,
            *(written(entry) if (entry := table.entries.get((row, column))) else "" for column in table.table.columns),
        ]
        for row in table.table.rows
    ]
    return ["", *table.table.columns], rows


def _paragraphs(lines: Sequence[str]) -> list[str]:
    return [part for line in lines for part in (line, "")]
