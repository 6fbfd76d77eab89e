"""The terminal: tables as wide as the screen, and wide enough for every column elsewhere; sentences that wrap."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

ELSEWHERE = 200
"""Width of a table in a file or pipe."""

out = Console(width=None if sys.stdout.isatty() else ELSEWHERE, highlight=False, markup=False)


def say(text: str, *, err: bool = False) -> None:
    """Print sentences, a line each; a terminal gets long lines broken between words.

    A line with a command stays whole, for a command is pasted in one piece.
    """
    stream = sys.stderr if err else sys.stdout
    console = Console(file=stream, highlight=False, markup=False)
    for line in text.split("\n"):
        if stream.isatty() and not _has_command(line):
            indent = " " * (len(line) - len(line.lstrip()))
            for part in Text(line.lstrip()).wrap(console, max(20, console.width - len(indent))):
                print(indent + part.plain.rstrip(), file=stream)
        else:
            print(line, file=stream)
    stream.flush()


def _has_command(line: str) -> bool:
    return "`" in line or " --" in line or "://" in line
