"""Commands for users to type, as they can be typed here."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from search.uri import shown


def program(name: str) -> str:
    """Return `name`, or, where `name` is not on the path, its path beside the typed `paretune`."""
    typed = Path(sys.argv[0])
    on_path = shutil.which(name) is not None or typed.name != "paretune" or len(typed.parts) == 1
    return name if on_path else str(typed.with_name(name))


def command(verb: str, study: str, home: Path, tracking_uri: str | None = None) -> str:
    """Return the command `paretune VERB STUDY` with its home and MLflow; a password is not shown."""
    words = [program("paretune"), verb, study, "--home", str(home)]
    return shlex.join([*words, "--tracking-uri", shown(tracking_uri)] if tracking_uri is not None else words)
