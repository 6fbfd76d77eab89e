"""What a shell may complete: the names of the studies of the home."""

from __future__ import annotations

from pathlib import Path

import typer

from search.settings import home_folder
from search.study.ledger import FILE


def studies(context: typer.Context, incomplete: str) -> list[str]:
    """Return the studies whose names begin with `incomplete`, of `--home` if typed before."""
    home: Path = home_folder(context.params.get("home"))
    names = sorted(path.parent.name for path in (home / "studies").glob(f"*/{FILE}"))
    return [name for name in names if name.startswith(incomplete)]
