"""A worker's module path: our packages first at start-up, later as in the driver, with a user's folders last.

Ray puts the driver's current folder first on a worker's path. A user's `search.py` or `torch.py` in the current folder
would run in place of ours, or of torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder of our packages."""


def folders() -> list[str]:
    """Return the driver's folders, for its workers: a user's modules may lie in any, last in the current folder."""
    return [*dict.fromkeys([*map(os.path.abspath, sys.path), os.getcwd()])]


def settle(given: Sequence[str]) -> None:
    """In a worker with our packages loaded, remove our folder from the first place and append the driver's folders."""
    if sys.path and sys.path[0] == ROOT:
        del sys.path[0]
    sys.path.extend(folder for folder in given if folder not in sys.path)
