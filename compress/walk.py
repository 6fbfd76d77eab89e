"""The files below a folder, every one once: links are followed, but never back; what is hidden or a tool's is not read.

Links: one to a folder elsewhere is read like a folder. One to a folder above it, or to one that was read already, is
passed over, so no walk goes in circles. Two paths to one file are told by its device and inode.
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
"""Names, in lower case, that file managers, network drives and archives leave. Hidden ones begin with a dot."""
NAMED = 3
"""Examples of each kind that was passed over."""


@final
class Found(NamedTuple):
    """A file: its path, size in bytes, time of change in ns, `identity` (device, inode), whether a link was taken."""

    path: str
    size: int
    changed: int
    identity: tuple[int, int]
    linked: bool


@final
class Place(NamedTuple):
    """A folder to read: its path, and the real paths of all folders on the way to it, its own last."""

    path: str
    chain: tuple[str, ...]


@final
@dataclass(frozen=True)
class Passed:
    """What was not read, by kind: names as often as they were met."""

    kinds: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """One more of this kind."""
        self.kinds.setdefault(kind, Counter())[name] += 1

    def unwanted(self, entry: os.DirEntry[str]) -> None:
        """A file that nobody reads, or a link to nothing."""
        if entry.is_symlink() and not os.path.exists(entry.path):
            self.add("linked to nothing", entry.name)
        else:
            self.add("of no known suffix", os.path.splitext(entry.name)[1].lower() or entry.name)

    def __str__(self) -> str:
        """Kinds with counts and the most frequent names; empty where nothing was passed over."""
        return ", ".join(f"{names.total():,} {kind} ({_examples(names)})" for kind, names in self.kinds.items())


def _examples(names: Counter[str]) -> str:
    shown = [printable(name) for name, _ in sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMED]]
    return ", ".join([*shown, *["..."] * (len(names) > NAMED)])


def printable(name: str) -> str:
    """A name that any terminal and any file takes: bytes that are not UTF-8 and control characters are escaped."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def place(path: str, above: tuple[str, ...] = ()) -> Place:
    """A folder to begin at, `above` the chain of the one it lies in."""
    return Place(path, (*above, os.path.realpath(path)))


def leads_back(target: str, chain: Iterable[str]) -> bool:
    """Whether the real path `target` is one of the folders of the chain, or holds one of them."""
    return any(os.path.commonpath((target, one)) == target for one in chain)


def entries(at: Place, passed: Passed, refuse: Callable[[str, OSError], Exception]) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, by name, but for what is hidden, a tool's, or a link back.

    A folder that cannot be read raises what `refuse(path, error)` gives.
    """
    try:
        with os.scandir(at.path) as found:
            inside = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise refuse(at.path, error) from error
    for entry in inside:
        if entry.name.startswith(".") or entry.name.lower() in TOOLS:
            passed.add("hidden or of a tool", entry.name)
        elif entry.is_symlink() and is_folder(entry) and leads_back(os.path.realpath(entry.path), at.chain):
            passed.add("linked to a folder above", entry.name)
        else:
            yield entry


def files_below(
    start: Place, wanted: Callable[[str], bool], passed: Passed, refuse: Callable[[str, OSError], Exception]
) -> list[Found]:
    """The files whose names are `wanted`, at any depth, by path; each file and each folder once, by its own path first.

    A wanted name that is a link to nothing raises what `refuse(path, error)` gives.
    """
    waiting, linked = deque([(start, False)]), deque[tuple[Place, bool]]()
    read: set[str] = set()
    found: list[Found] = []
    while waiting or linked:
        at, through_link = waiting.popleft() if waiting else linked.popleft()
        if at.chain[-1] in read:
            passed.add("linked to a folder that is read already", os.path.basename(at.path))
            continue
        read.add(at.chain[-1])
        for entry in entries(at, passed, refuse):
            is_link = entry.is_symlink()
            if is_folder(entry):
                real = os.path.realpath(entry.path) if is_link else os.path.join(at.chain[-1], entry.name)
                below = Place(entry.path, (*at.chain, real)), through_link or is_link
                (linked if through_link or is_link else waiting).append(below)
            elif not wanted(entry.name):
                passed.unwanted(entry)
            elif (file := _file(entry, through_link or is_link, refuse)) is None:
                passed.add("neither file nor folder", entry.name)
            else:
                found.append(file)
    return sorted(_once(found, passed))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder that may not be entered
        return False


def _file(entry: os.DirEntry[str], linked: bool, refuse: Callable[[str, OSError], Exception]) -> Found | None:
    try:
        about = entry.stat()
    except OSError as error:
        raise refuse(entry.path, error) from error
    if not stat.S_ISREG(about.st_mode):  # a pipe would block whoever opens it
        return None
    return Found(entry.path, about.st_size, about.st_mtime_ns, (about.st_dev, about.st_ino), linked)


def _once(found: list[Found], passed: Passed) -> Iterator[Found]:
    seen: set[tuple[int, int]] = set()
    for file in sorted(found, key=lambda one: (one.linked, one.path)):
        if file.identity in seen:
            passed.add("of a file that is read already", os.path.basename(file.path))
        else:
            seen.add(file.identity)
            yield file
