"""Names of studies: fit for a folder, those of a home, the nearest to a missing one; the complaint about a study."""

from __future__ import annotations

import re
from pathlib import Path

from compress.errors import near
from search.study.ledger import FILE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class StudyError(ValueError):
    """Complaint about a study that is missing, exists already, is in use, or cannot be read: who, rule, value."""


def check_name(name: str) -> str:
    """Return the name if fit for a folder; StudyError otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StudyError(
            "study name must begin with a letter or digit, go on with letters, digits, '.', '_' or '-' "
            f"and have at most 80 characters, got {name!r}"
        )
    return name


def known_studies(home: Path, missing: str) -> str:
    """Return what there is in place of a missing study: the nearest name, and all."""
    if not home.exists():
        return "there is no such folder"
    known = named_studies(home)
    return f"{near(missing, known)}known are {', '.join(known) or 'none'}"


def named_studies(home: Path) -> list[str]:
    """Return the names of the studies of a home, in order."""
    return sorted(path.parent.name for path in (home / "studies").glob(f"*/{FILE}"))
