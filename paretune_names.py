"""Paretune's own modules are found before modules of the same name in a user's folders.

Python looks first in the folder of a script, in the current folder or in `PYTHONPATH`. A `search.py` there would be run
in place of the package `search`. Importing this file, before any other of Paretune's, prevents that. It imports next to
nothing itself: a `random.py` in the current folder is still in the way here.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

ROOT = os.path.dirname(os.path.abspath(__file__))
OURS = ("compress", "dashboards", "paretune", "search", "spaces")


class _Ours:
    """Finds the names of `OURS` beside this file, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for a module of ours; None for all others, which Python's own finders then look for."""
        return PathFinder.find_spec(fullname, [ROOT]) if path is None and fullname in OURS else None


def _claim() -> None:
    """Find our modules first from now on; ImportError when a user's module of such a name is imported already."""
    for name in OURS:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and not os.path.abspath(file).startswith(os.path.join(ROOT, "")):
            raise ImportError(
                f"paretune: no other module may be named {name!r} in this process, got {file}; "
                "rename it, or import paretune first"
            )
    sys.meta_path.insert(0, _Ours())


def _current_folder_last() -> None:
    """`python -m paretune` looks in the current folder first, where a `random.py` would be Python's own for all."""
    asked = sys.orig_argv[1:3]
    ours = asked[:1] == ["-m"] and asked[1].partition(".")[0] in OURS
    if ours and os.path.abspath(sys.path[0]) == os.getcwd() != ROOT:
        sys.path.append(sys.path.pop(0))


def main() -> None:
    """The command from its first moment: Ctrl-C while Python still imports is a sentence too."""
    try:
        from paretune.__main__ import main as carry_out
    except KeyboardInterrupt:
        sys.stderr.write("paretune: interrupted; nothing was started\n")
        os._exit(130)
    carry_out()


_claim()
_current_folder_last()

if __name__ == "__main__":
    main()
