"""What a shell may complete: the names of the studies of the home."""

from __future__ import annotations

from pathlib import Path

import typer

from search.settings import home_folder
from search.study.names import named_studies


def studies(context: typer.Context, incomplete: str) -> list[str]:
    """Return the studies whose names begin with `incomplete`, of `--home` if typed before."""
    home: Path = home_folder(context.params.get("home"))
    return [name for name in named_studies(home) if name.startswith(incomplete)]
