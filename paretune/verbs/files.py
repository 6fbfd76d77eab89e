"""Files that a verb writes for the user: a refusal of the disk is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(who: str, target: Path, text: str) -> None:
    """Write a file, and the folders above; ValueError of `who` where the disk refuses."""
    with writing(who, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


@contextmanager
def writing(who: str, target: Path) -> Iterator[None]:
    """Raise ValueError of `who` where the disk refuses the file."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{who}: cannot write {target}: {error.strerror}") from error
