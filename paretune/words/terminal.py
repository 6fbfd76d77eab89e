"""The terminal: tables and sentences as wide as the screen; in a file or pipe every line stays whole.

Where the environment says COLUMNS, its width counts everywhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, RenderableType

from search.wrapping import wrapped

WHOLE = 100_000
"""Width of a table in a file or pipe: no cell wraps."""


def print_table(table: RenderableType) -> None:
    """Print a table; in a file or pipe without blanks at the ends of lines."""
    stream = sys.stdout
    console = Console(file=stream, width=_width(stream) or WHOLE, highlight=False, markup=False)
    if stream.isatty():
        return console.print(table)
    with console.capture() as said:
        console.print(table)
    print("\n".join(line.rstrip() for line in said.get().split("\n")), end="", flush=True)
    return None


def say(text: str, *, err: bool = False) -> None:
    """Print sentences, a line each; where there is a width, long lines are broken between words."""
    stream = sys.stderr if err else sys.stdout
    width = _width(stream)
    for line in text.split("\n"):
        print("\n".join(wrapped(line, width)) if width else line, file=stream)
    stream.flush()


def does_fit(lines: Sequence[str]) -> bool:
    """Return whether no line is longer than standard output is wide."""
    return max(map(len, lines)) <= (_width(sys.stdout) or WHOLE)


def _width(stream: TextIO) -> int:
    """Return the columns of a terminal, elsewhere those of COLUMNS; 0 where nothing is said."""
    if stream.isatty():
        return Console(file=stream).width
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isdecimal() else 0
