"""The command, as a process: `paretune`, or `python -m paretune`."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress


def main() -> None:
    """The command; ends the process at once, for to take all libraries down in order takes Python two seconds."""
    from search.environment import spare_loopback, steady_streams
    from search.running.interrupts import listen

    listen()
    steady_streams()
    spare_loopback()
    if not sys.warnoptions:  # -W and PYTHONWARNINGS show them
        warnings.simplefilter("ignore")  # of libraries, for programmers
    from paretune.cli import run

    code = run()
    logging.shutdown()
    with suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
