"""Where a worker looks for modules: ours first while it starts, then as the driver does, a user's folders last.

Ray puts the driver's current folder first on a worker's path. A user's `search.py` or `torch.py` there would be run in
place of ours, or of torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder our packages lie in."""


def folders() -> list[str]:
    """The driver's folders, for its workers: a user's modules may lie in any, last in the current one."""
    return [*dict.fromkeys([*map(os.path.abspath, sys.path), os.getcwd()])]


def settle(given: Sequence[str]) -> None:
    """In a worker, once our packages are loaded: drop the first place that ours had, add the driver's folders last."""
    if sys.path and sys.path[0] == ROOT:
        del sys.path[0]
    sys.path.extend(folder for folder in given if folder not in sys.path)
