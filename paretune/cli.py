"""The `paretune` command: each verb of `import paretune` with its options, in words or as JSON.

Exit codes: 0 done, 1 the work failed, 2 the input was wrong and nothing was started, 130 interrupted, by Ctrl-C or
`paretune stop`. With `--json` standard output carries JSON and nothing else; progress, notes and errors go to standard
error.
"""

from __future__ import annotations

import paretune_names  # noqa: F401  # isort: skip  before all others: our modules are found from here on

from importlib import metadata
from typing import Annotated

import typer

from paretune.commands.home import home_app
from paretune.commands.model import model_app
from paretune.commands.search import search_app
from paretune.commands.study import study_app
from paretune.commands.view import view_app
from paretune.exit_code import exit_code

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Search over how to compress a trained network, look at the trade-offs, take the model that fits a budget.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paretune {metadata.version('paretune')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Take the options of the command itself, those before a verb."""


for _commands in (search_app, study_app, view_app, model_app, home_app):
    app.add_typer(_commands)


def run() -> int:
    """Carry out the words of the process and return the exit code."""
    return exit_code(app)
