"""The command carried out: a failure becomes one sentence on standard error and an exit code."""

from __future__ import annotations

import logging
import sys

import typer

from compress.errors import shortened
from paretune.words.terminal import say

INTERRUPTED = 130
"""Exit code after Ctrl-C; typer's own."""
LONGEST = 1000
"""Characters of a complaint."""


def exit_code(app: typer.Typer) -> int:
    """Parse and carry out the words of the process; returns the exit code: 0, 1, 2 or `INTERRUPTED`.

    A ValueError is a complaint about input, 2; a RuntimeError or OSError is failed work, 1.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        code: int = app(standalone_mode=False) or 0
    except typer.TyperException as error:  # of the options themselves
        context = getattr(error, "ctx", None)
        verb = f" {context.info_name}" if context and context.parent else _verb(app)
        said = error.format_message().rstrip(".")  # "" after the help that `paretune` alone prints
        see = f"{' See' if said.endswith('?') else '; see'} paretune{verb} --help"
        code = _complain(said + see, 2) if said else 2
    except ValueError as error:  # every complaint about input is one
        code = _complain(str(error), 2)
    except (RuntimeError, OSError) as error:
        code = _complain(str(error), 1)
    if code == INTERRUPTED:
        _complain("interrupted; everything finished is kept", code)
    return code


def _verb(app: typer.Typer) -> str:
    """Return the verb that was typed, for an error raised before the verb's own words were read."""
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return f" {sys.argv[1]}" if sys.argv[1:] and sys.argv[1] in known else ""


def _complain(sentence: str, code: int) -> int:
    """Write one line, however long the words of the user and whatever control characters are in them."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(sentence.splitlines()))
    if len(line) > LONGEST:
        head, tail = shortened(line, LONGEST // 2), line[-LONGEST // 2 :]
        line = f"{head} {tail.partition(' ')[2] or tail}"
    say(f"paretune: {line}", err=True)
    return code
