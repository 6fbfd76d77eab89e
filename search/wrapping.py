"""Sentences for a terminal: long lines break between words, and a command stays fit to be pasted."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = re.compile(r"\S*`[^`]*`\S*|\S+")
"""A word, or a text in backticks, which is typed in one piece."""
_ARGUMENT = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
"""A word of a command, perhaps in quotes."""
_COMMAND = re.compile(r"(?:[a-z][a-z ]*: )?\S*\bparetune [a-z]")
"""The beginning of a line that is a command, perhaps after a label: `take: paretune select`."""
CONTINUED = " \\"
"""End of a line of a command that goes on in the next, as shells read it."""
LEAST = 20


def wrapped(line: str, width: int) -> list[str]:
    """Return the lines of at most `width` columns, but for a longer word; the indent is kept.

    A command that is broken has `CONTINUED` at the end of each line but the last.
    """
    indent = " " * (len(line) - len(line.lstrip()))
    if len(line) <= width or not line.strip():
        return [line]
    is_command = _COMMAND.match(line)
    words = (_ARGUMENT if is_command else _WORD).findall(line)
    return [*_filled(words, indent, max(width, LEAST), CONTINUED if is_command else "")]


def _filled(words: list[str], indent: str, width: int, end: str) -> Iterator[str]:
    now = indent + words[0]
    for place, word in enumerate(words[1:], 2):
        room = width - (len(end) if place < len(words) else 0)
        if len(now) + 1 + len(word) > room:
            yield now + end
            now = indent + ("  " if end else "") + word
        else:
            now += f" {word}"
    yield now
