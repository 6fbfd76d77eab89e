"""The terminal: tables as wide as the screen, and wide enough for every column elsewhere; sentences that wrap."""

from __future__ import annotations

import sys

from rich.console import Console

from search.wrapping import wrapped

ELSEWHERE = 200
"""Width of a table in a file or pipe."""

out = Console(width=None if sys.stdout.isatty() else ELSEWHERE, highlight=False, markup=False)


def say(text: str, *, err: bool = False) -> None:
    """Print sentences, a line each; a terminal gets long lines broken between words."""
    stream = sys.stderr if err else sys.stdout
    width = Console(file=stream).width if stream.isatty() else 0
    for line in text.split("\n"):
        print("\n".join(wrapped(line, width)) if width else line, file=stream)
    stream.flush()
