"""Share of pronouns among the words of all docstrings, by room.

    python -m benchmarks.prose [--out FILE]

A docstring leans on a pronoun where a noun would be read once. Code between backticks is not counted, nor is the value
None. Prints Markdown and writes it to `benchmarks/results/prose.md`.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "prose.md"
PACKAGES = ("compress", "spaces", "search", "dashboards", "paretune")
PRONOUNS = frozenset({"what", "which", "that", "one", "it", "this", "these", "those", "none", "such"})
_NOT_PROSE = re.compile(r"`[^`]*`|\bNone\b|https?://\S+")


def docstrings(source: str) -> Iterator[str]:
    """Yield the text of every docstring in Python source, also below a field or a constant."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Count the words of all texts, in lower case."""
    return Counter(word for text in texts for word in re.findall(r"[a-z']+", _NOT_PROSE.sub(" ", text).lower()))


def room_of(file: Path) -> str:
    """Return the folder of a file below `ROOT`, with slashes on any system."""
    return file.relative_to(ROOT).parent.as_posix()


def count_by_room() -> dict[str, Counter[str]]:
    """Count the words of every room, rooms sorted by name."""
    rooms: dict[str, Counter[str]] = {}
    for file in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        rooms.setdefault(room_of(file), Counter()).update(count_words(docstrings(file.read_text("utf-8"))))
    return dict(sorted(rooms.items()))


def row(name: str, words: Counter[str]) -> str:
    """Return a row of the table: name, words, pronouns, their share in per cent, the three most frequent."""
    total, found = words.total(), Counter({word: words[word] for word in PRONOUNS if words[word]})
    frequent = ", ".join(f"{word} {count}" for word, count in sorted(found.items(), key=lambda i: (-i[1], i[0]))[:3])
    return f"| {name} | {total:,} | {found.total()} | {100 * found.total() / max(1, total):.1f} | {frequent} |"


def report() -> str:
    """Return the table of all rooms, as Markdown."""
    rooms = count_by_room()
    lines = (
        "# Pronouns in docstrings\n",
        f"`python -m benchmarks.prose` on {machine()}.\n",
        f"Words counted as pronouns: {', '.join(sorted(PRONOUNS))}.\n",
        "| room | words | pronouns | % | most frequent |",
        "|---|---|---|---|---|",
        *(row(f"`{name}`", words) for name, words in rooms.items()),
        row("all", sum(rooms.values(), Counter())),
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS, help="file of the results")
    asked = parser.parse_args()
    text = report()
    print(text, end="")
    asked.out.write_text(text)


if __name__ == "__main__":
    main()
