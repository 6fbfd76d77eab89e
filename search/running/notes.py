"""What a search has to say besides its points: the first note of each kind, and how often the kind came."""

from __future__ import annotations

import re
from collections.abc import Sequence

VARIES = re.compile(
    r"\btrial \d+\b"  # who
    r"|\b[0-9a-f]{32}\b"  # the key of a point
    r"|(?<![\w.])(?:\d{3,}|\d?\.\d{3,}|\d[\d.]*e[-+]\d+|\d[\d.]* ?%)(?![\w.])"  # counts and shares; 0.12 may be a layer
    r"|(?<=got )\d[\d.]*"
    r"|\(\d+\)|\[\d+(?:, \d+)*\]"  # sizes, as torch says them
)
"""What notes of a kind may differ in."""


class Notes:
    """Counts notes by their kind; the first of a kind stands for all."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._times: dict[str, int] = {}
        self._heard = 0

    def hear(self, notes: Sequence[str]) -> list[str]:
        """Count the end of a list that only grows; the notes of kinds that were not heard before."""
        known = len(self._first)
        for note in notes[self._heard :]:
            kind = VARIES.sub("#", note)
            self._first.setdefault(kind, note)
            self._times[kind] = self._times.get(kind, 0) + 1
        self._heard = len(notes)
        return list(self._first.values())[known:]

    def repeated(self) -> list[str]:
        """The notes whose kind came more than once, with how often."""
        return [f"{times} times: {self._first[kind]}" for kind, times in self._times.items() if times > 1]
