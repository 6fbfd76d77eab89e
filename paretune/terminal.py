"""The console of the command's tables: as wide as the terminal, and wide enough for every column elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console

ELSEWHERE = 200
"""Width of a table in a file or pipe."""

out = Console(width=None if sys.stdout.isatty() else ELSEWHERE, highlight=False, markup=False)
