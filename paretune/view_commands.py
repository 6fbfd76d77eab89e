"""The commands that look at stored models: `robustness`."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import typer
from rich.console import Console

from paretune import view_options as asked
from paretune import views
from paretune.signature import verb
from paretune.view_words import robustness_table

view_app = typer.Typer()
"""The commands, which `paretune/cli.py` adds to its own."""
_out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 200)


@verb(view_app, asked.Robustness)
def robustness(options: asked.Robustness) -> None:
    """The quality of points on corrupted test images, beside the clean ones: motion blur, occlusion, brightness."""
    severity = asked.SEVERITY if options.severity is None else options.severity
    with redirect_stdout(sys.stderr):  # what a user's own network prints is no table
        found = views.robustness_of(
            options.study, options.points, options.corrupt, severity, home=options.home, data=options.data
        )
    if options.json:
        return _print_json(found)
    return _out.print(robustness_table(found))


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))
