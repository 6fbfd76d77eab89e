"""Change bytes and fields of every kind of file we read; count right results, sentences, faults and commands run.

    python -m benchmarks.foreign_files [--times 75]

A damaged file must give the result of the whole file, or a sentence: a documented error in one line, or the note of an
entry made again. A forged file, its checksums made anew, may give another result, but must end likewise. A command
counts as run if a file appears, a process starts, or a module `evil` or one of Python's own is imported by name. Prints
Markdown and writes `benchmarks/results/foreign_files.md`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.changes import CANARY
from benchmarks.machine import machine
from compress.errors import StoreError
from compress.export.graph import ExportFailed

RESULTS = Path(__file__).parent / "results" / "foreign_files.md"
DOCUMENTED = (ValueError, StoreError, ExportFailed)
UNDOCUMENTED = (json.JSONDecodeError, UnicodeError)
"""Errors of Python's own, which say nothing of the file."""
EXPLAINED = """\
A change is of one file at a time, drawn from a seed: bits flipped, bytes cut, grown, swapped, zeroed, a length put over
the first bytes; fields deleted, renamed, repeated, swapped, or of another value (huge, negative, not a number, nested
100,000 deep, names of functions and files). Right: the result of the whole file, or, where the end of a ledger is cut,
of the study before. Sentence: an error or note in one line. As it says: a file whose checksums were made anew, or that
has none, gives what it says now. Commands run: a process started, a file made, or a module of its naming imported."""
LIMIT_S = 60
"""Of processor time: a file that takes longer to read has hung."""
Change = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Kind:
    """A file of a folder `area` by a pattern, how it is changed, and how the folder is read."""

    name: str
    area: str
    file: str
    change: Change
    read: Callable[[Path], Any]
    made_up: bool = False
    """Whether checksums are made anew, so that a changed file may say something else."""
    heavy: bool = False
    """Whether a change takes more than some hundredths of a second."""
    earlier: Callable[[Any, Any], bool] = lambda got, wanted: False
    """Whether a result is the study's of an earlier time, as after a cut."""


@dataclass
class Count:
    """Outcomes of the changes of one kind, and the faults among them."""

    found: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Ran(BaseException):
    """Something of a foreign file was about to run."""


class Hung(BaseException):
    """A file was read for too long."""


def tried(kind: Kind, whole: Path, times: int, seed: int = 0) -> Count:
    """Change the file so many times in copies of the folder `whole`, and read each."""
    count, (found, wanted) = Count(), _read(kind, whole)
    assert found == "result", f"{kind.name}: the whole file must be read, got {wanted}"
    (file,) = whole.glob(kind.file)
    data, name = file.read_bytes(), file.relative_to(whole)
    for number in range(times):
        draw = random.Random(f"{kind.name} {seed} {number}")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(shutil.copytree(whole, Path(place, "copy")))
            (folder / name).write_bytes(kind.change(data, draw))
            how, got = _read(kind, folder)
        if how == "result":
            right = got == wanted or kind.earlier(got, wanted)
            how = "right" if right else "as it says" if kind.made_up else "wrong"
        count.found[how] += 1
        if how in ("wrong", "ran", "traceback"):
            count.faults.append(
                f"{kind.name} {seed} {number}: {how}: {got if how != 'wrong' else (got, wanted)}"[:2000]
            )
    return count


def _read(kind: Kind, folder: Path) -> tuple[str, Any]:
    """`result` and what it is, `sentence`, `ran` or `traceback`."""
    with _watched(folder) as said:
        try:
            got = kind.read(folder)
        except Ran as error:
            return "ran", repr(error)
        except Hung:
            return "traceback", "it hung"
        except DOCUMENTED as error:
            line = str(error)
            sound = line and len(line.splitlines()) == 1 and not isinstance(error, UNDOCUMENTED)
            return ("sentence", line) if sound else ("traceback", repr(error))
        except BaseException as error:
            return "traceback", repr(error)
    if list(folder.rglob(CANARY)) or Path(CANARY).exists():
        return "ran", "the file is there"
    return ("sentence", said[0]) if said else ("result", got)


@contextmanager
def _watched(folder: Path) -> Iterator[list[str]]:
    """Inside, no process may start and no module `evil` be imported; warnings are listed; nothing takes for ever."""
    said: list[str] = []
    notes = logging.Handler(logging.WARNING)
    notes.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    real = importlib.import_module

    def forbidden(*given: Any, **_: Any) -> Any:
        raise Ran(given)

    def imported(name: str, package: str | None = None) -> Any:
        if name.partition(".")[0] in ("evil", "os", "subprocess", "builtins", "posix"):
            raise Ran(name)
        return real(name, package)

    def hung(*_: object) -> None:
        raise Hung

    before, here = signal.signal(signal.SIGPROF, hung), os.getcwd()
    root = logging.getLogger()
    root.addHandler(notes)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    os.chdir(folder)
    try:
        with (
            patch("os.system", forbidden),
            patch("os.popen", forbidden),
            patch.object(subprocess, "Popen", forbidden),
            patch.object(importlib, "import_module", imported),
        ):
            yield said
    finally:
        os.chdir(here)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        root.removeHandler(notes)


def report(counts: dict[str, Count], seconds: float) -> str:
    """The page of results in Markdown."""
    heads = ("right", "sentence", "as it says", "traceback", "ran", "wrong")
    total: Counter[str] = Counter()
    lines = [
        "# Foreign files",
        "",
        f"`python -m benchmarks.foreign_files` on {machine()}; {seconds:.0f} s.",
        "",
        EXPLAINED,
        "",
        "| file | changes | right | sentences | as it says | tracebacks | commands run | wrong results |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, count in counts.items():
        total.update(count.found)
        cells = [str(count.found[head]) for head in heads]
        lines.append(f"| {name} | {count.found.total()} | {' | '.join(cells)} |")
    lines.append(f"| **all** | {total.total()} | {' | '.join(str(total[head]) for head in heads)} |")
    faults = [fault for count in counts.values() for fault in count.faults]
    return "\n".join([*lines, "", *(f"- {fault}" for fault in faults), ""])


def main() -> None:
    """Print the table, and write it; exit code 1 if any file came to what it must not."""
    from benchmarks.foreign_kinds import KINDS, prepared

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=75, help="changes a kind; a third where one takes long")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    given = parser.parse_args()
    started, counts = time.time(), dict[str, Count]()
    with tempfile.TemporaryDirectory() as place:
        whole = prepared(Path(place))
        for kind in KINDS:
            if given.only in kind.name:
                times = -(-given.times // 3) if kind.heavy else given.times
                counts[kind.name] = tried(kind, whole / kind.area, times)
                print(kind.name, dict(counts[kind.name].found), *counts[kind.name].faults[:3], sep="\n  ", flush=True)
    page = report(counts, time.time() - started)
    print(page)
    if not given.only:
        RESULTS.write_text(page, encoding="utf-8")
    sys.exit(any(count.faults for count in counts.values()))


if __name__ == "__main__":
    main()
