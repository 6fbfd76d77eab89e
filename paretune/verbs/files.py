"""Files that a verb writes for the user: a refusal of the disk is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(who: str, target: Path, text: str) -> None:
    """Write a file; ValueError of `who` where the disk refuses, or the folder is missing."""
    check_place(who, target)
    with writing(who, target):
        target.write_text(text, encoding="utf-8")


def check_place(who: str, target: Path) -> None:
    """Raise ValueError of `who` unless the file's folder is there: a folder misspelt is not made."""
    with writing(who, target):
        if not target.parent.is_dir():
            raise ValueError(f"{who}: cannot write {target}: there is no folder {target.parent}")


@contextmanager
def writing(who: str, target: Path) -> Iterator[None]:
    """Raise ValueError of `who` where the disk refuses the file."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{who}: cannot write {target}: {error.strerror}") from error
