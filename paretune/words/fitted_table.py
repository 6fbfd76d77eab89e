"""A table that fits its terminal: columns of less use are left out, figures shorten, words wrap between words.

No cell is cut: a table still too wide goes on below itself, the first column repeated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

GAP = 2
"""Spaces between two columns."""
SIGNS = ("", "k", "M", "G", "T")
ROUNDING = 1e-6
PROSE = 24
"""Least width of a column that wraps, before other columns are left out."""


class Brief(str):
    """Text of a cell, with a shorter form in `brief` for a narrow terminal."""

    brief: str

    def __new__(cls, text: str, brief: str) -> Brief:
        """Make the text of `text` and `brief`."""
        made = super().__new__(cls, text)
        made.brief = brief
        return made


@dataclass(frozen=True)
class Column:
    """A column: `head` may be `Brief`. Words stand left, figures right.

    `rank` 0 is always shown. In a terminal too narrow for all, columns of the highest rank are left out first. A column
    that `wraps` takes several lines where it must. A `note` stands below the table if the column is shown, a
    `brief_note` if the column is shown in brief forms of its cells.
    """

    head: str
    words: bool = False
    rank: int = 0
    wraps: bool = False
    note: str = ""
    brief_note: str = ""


@dataclass
class FittedTable:
    """Rows of text under columns, with a title above and a caption below; rich prints it at the console's width."""

    columns: Sequence[Column]
    title: str | None = None
    caption: str | None = None
    rows: list[Sequence[str]] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        """Add a row, a cell for each column."""
        self.rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        if self.title:
            yield Text(self.title, style="italic")
            yield Text("")
        places, is_brief = self._fitting(options.max_width)
        for number, part in enumerate(self._parts(places, is_brief, options.max_width)):
            if number:
                yield Text("")
            yield self._table(part, is_brief)
        notes = dict.fromkeys(self.columns[place].note for place in places)
        notes |= dict.fromkeys(self.columns[place].brief_note for place in places if is_brief and self._shortens(place))
        hidden = [str(column.head) for place, column in enumerate(self.columns) if place not in places and column.head]
        if hidden:
            notes[f"not shown at this width: {', '.join(hidden)}"] = None
        if caption := "; ".join(filter(None, (*notes, self.caption))):
            yield Text(caption, style="dim italic")

    def _parts(self, places: Sequence[int], is_brief: bool, width: int) -> list[list[int]]:
        """Return the columns of each table below the other, the first column in all."""
        first, *others = places
        parts = [[first]]
        for place in others:
            if len(parts[-1]) > 1 and self._least([*parts[-1], place], is_brief) > width:
                parts.append([first])
            parts[-1].append(place)
        return parts

    def _table(self, places: Sequence[int], is_brief: bool) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
        for place in places:
            column, prose = self.columns[place], self.columns[place].wraps
            table.add_column(
                Text(_form(column.head, is_brief)),
                justify="left" if column.words else "right",
                no_wrap=not prose,
                overflow="fold",
                min_width=None if prose else self._width(place, is_brief),
            )
        for row in self.rows:
            table.add_row(*(Text(_form(row[place], is_brief)) for place in places))
        return table

    def _fitting(self, width: int) -> tuple[list[int], bool]:
        """Return the places of the columns that fit, and whether cells take their brief forms."""
        kept: list[int] = []
        for most in sorted({column.rank for column in self.columns}, reverse=True):
            kept = [place for place, column in enumerate(self.columns) if column.rank <= most]
            for is_brief in (False, True):
                if self._least(kept, is_brief) <= width:
                    return kept, is_brief
        return kept, True

    def _least(self, places: Sequence[int], is_brief: bool) -> int:
        widths = [self._width(place, is_brief) for place in places]
        least = [min(w, PROSE) if self.columns[p].wraps else w for p, w in zip(places, widths, strict=True)]
        return sum(least) + GAP * (len(places) - 1)

    def _shortens(self, place: int) -> bool:
        return any(_form(row[place], is_brief=True) != str(row[place]) for row in self.rows)

    def _width(self, place: int, is_brief: bool) -> int:
        cells = [self.columns[place].head, *(row[place] for row in self.rows)]
        return max(cell_len(_form(cell, is_brief)) for cell in cells)


def _form(text: str, is_brief: bool) -> str:
    return text.brief if is_brief and isinstance(text, Brief) else str(text)


def figures(count: float) -> str:
    """Return a number in three digits, rounded up, with k, M, G or T as budgets take them: `5.56k`, `26.3M`, `74`.

    Typed as a bound, the text admits the model that it was read from.
    """
    power = 0
    while count >= 1000 and power < len(SIGNS) - 1:
        count, power = count / 1000, power + 1
        digits = 3 - len(str(int(count)))
        count = math.ceil(count * 10**digits - ROUNDING) / 10**digits
    return f"{count:.3g}{SIGNS[power]}" if power or count != int(count) else f"{count:.0f}"
