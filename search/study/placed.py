"""Studies as typed: `NAME` of the home, or `HOME/NAME` of another home, also as the folder `HOME/studies/NAME`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from search.study.comparison import Named
from search.study.study import Study


def placed(text: str, home: Path) -> Study:
    """Return the study; StudyError for a name that cannot be one, or a ledger that cannot be read."""
    path = Path(os.path.expanduser(text.rstrip("/")))
    if "/" not in text or path.parent == path:
        return Study(home, text)
    folder = path.parent.parent if path.parent.name == "studies" else path.parent
    return Study(folder, path.name)


def named(texts: Sequence[str], home: Path) -> list[Named]:
    """Return the studies under their names, or as typed if two have one name; StudyError for a missing study."""
    found = [placed(text, home) for text in texts]
    names = [study.name for study in found]
    return [
        Named(
            study.name if names.count(study.name) == 1 else text,
            study.record,
            str(study.header.get("fingerprint") or ""),
        )
        for study, text in zip(found, texts, strict=True)
    ]
