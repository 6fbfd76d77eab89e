"""Walk a folder: every file once, links followed but never back, hidden and tool folders skipped.

Read a link to a folder elsewhere like a folder. Skip a link to a folder above, or to a folder read already: no walk
goes in circles. Recognise two paths to the same file by device and inode.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, final

TOOLS = frozenset(
    ("@eadir", "@recycle", "#recycle", "$recycle.bin", "__macosx", "__pycache__", "desktop.ini", "lost+found")
) | {"system volume information", "thumbs.db"}
"""Names left by file managers, network drives and archives, in lower case. Hidden names begin with a dot."""
NAMED = 3
"""Examples shown of each kind of skipped names."""


@final
class Found(NamedTuple):
    """A file: path, size in bytes, time of change in ns, `identity` (device, inode), whether reached by a link."""

    path: str
    size: int
    changed: int
    identity: tuple[int, int]
    linked: bool


@final
class Place(NamedTuple):
    """A folder to read: path, and `chain`, the real paths of all folders on the way, the folder's own last."""

    path: str
    chain: tuple[str, ...]


@final
@dataclass(frozen=True)
class Skipped:
    """Names not read, counted by kind."""

    kinds: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Count a name of a kind."""
        self.kinds.setdefault(kind, Counter())[name] += 1

    def unwanted(self, entry: os.DirEntry[str]) -> None:
        """Count a file of no known suffix, or a link to nothing."""
        if entry.is_symlink() and not os.path.exists(entry.path):
            self.add("linked to nothing", entry.name)
        else:
            self.add("of no known suffix", os.path.splitext(entry.name)[1].lower() or entry.name)

    def __str__(self) -> str:
        """Kinds with counts and the most frequent names; empty if nothing was skipped."""
        return ", ".join(f"{names.total():,} {kind} ({_examples(names)})" for kind, names in self.kinds.items())


def _examples(names: Counter[str]) -> str:
    shown = [printable(name) for name, _ in sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMED]]
    return ", ".join([*shown, *["..."] * (len(names) > NAMED)])


def printable(name: str) -> str:
    """Escape bytes other than UTF-8 and control characters, for any terminal and any file."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def place(path: str, above: tuple[str, ...] = ()) -> Place:
    """Return the place of the folder `path`; `above` is the chain of the folder around."""
    return Place(path, (*above, os.path.realpath(path)))


def leads_back(target: str, chain: Iterable[str]) -> bool:
    """Whether the real path `target` is a folder of the chain, or holds a folder of the chain."""
    return any(os.path.commonpath((target, folder)) == target for folder in chain)


def entries(at: Place, skipped: Skipped, refuse: Callable[[str, OSError], Exception]) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder by name, except hidden entries, tools' entries and links back.

    Raise `refuse(path, error)` for an unreadable folder.
    """
    try:
        with os.scandir(at.path) as found:
            inside = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise refuse(at.path, error) from error
    for entry in inside:
        if entry.name.startswith(".") or entry.name.lower() in TOOLS:
            skipped.add("hidden or of a tool", entry.name)
        elif entry.is_symlink() and is_folder(entry) and leads_back(os.path.realpath(entry.path), at.chain):
            skipped.add("linked to a folder above", entry.name)
        else:
            yield entry


def files_below(
    start: Place, wanted: Callable[[str], bool], skipped: Skipped, refuse: Callable[[str, OSError], Exception]
) -> list[Found]:
    """Return the files of `wanted` names at any depth, by path. Every file and folder comes once, real paths first.

    Raise `refuse(path, error)` for an unreadable folder, and for a wanted name linked to nothing.
    """
    waiting, linked = deque([(start, False)]), deque[tuple[Place, bool]]()
    read: set[str] = set()
    found: list[Found] = []
    while waiting or linked:
        at, through_link = waiting.popleft() if waiting else linked.popleft()
        if at.chain[-1] in read:
            skipped.add("linked to a folder that is read already", os.path.basename(at.path))
            continue
        read.add(at.chain[-1])
        for entry in entries(at, skipped, refuse):
            is_link = entry.is_symlink()
            if is_folder(entry):
                real = os.path.realpath(entry.path) if is_link else os.path.join(at.chain[-1], entry.name)
                below = Place(entry.path, (*at.chain, real)), through_link or is_link
                (linked if through_link or is_link else waiting).append(below)
            elif not wanted(entry.name):
                skipped.unwanted(entry)
            elif (file := _file(entry, through_link or is_link, refuse)) is None:
                skipped.add("neither file nor folder", entry.name)
            else:
                found.append(file)
    return sorted(_once(found, skipped))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether the entry is a folder, or a link to a folder."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder without permission to enter
        return False


def _file(entry: os.DirEntry[str], linked: bool, refuse: Callable[[str, OSError], Exception]) -> Found | None:
    try:
        about = entry.stat()
    except OSError as error:
        raise refuse(entry.path, error) from error
    if not stat.S_ISREG(about.st_mode):  # a pipe would block its reader
        return None
    return Found(entry.path, about.st_size, about.st_mtime_ns, (about.st_dev, about.st_ino), linked)


def _once(found: list[Found], skipped: Skipped) -> Iterator[Found]:
    seen: set[tuple[int, int]] = set()
    for file in sorted(found, key=lambda file: (file.linked, file.path)):
        if file.identity in seen:
            skipped.add("of a file that is read already", os.path.basename(file.path))
        else:
            seen.add(file.identity)
            yield file
