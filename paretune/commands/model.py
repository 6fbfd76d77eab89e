"""The commands that take a model away: `select`, `evaluate`."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path

import typer

import paretune
from paretune.commands.signature import verb
from paretune.options import model as asked
from paretune.words.evaluated import evaluated
from paretune.words.selected import selected
from paretune.words.tables import rated_table
from paretune.words.terminal import print_table, say
from search.hints import program

model_app = typer.Typer()
"""The commands, which `paretune/cli.py` adds to its own."""
TAKE = "Take a model"
"""Heading of the verbs in `paretune --help`."""


@verb(model_app, asked.SelectAndExport, panel=TAKE)
def select(options: asked.SelectAndExport) -> None:
    """The best point within a budget, chosen on validation; with --export, the model itself."""
    from compress.export.formats import CARD

    folder = None if options.export is None else Path(options.export)
    formats = options.format or paretune.FORMATS
    if options.reseed is not None and folder is not None:  # not after hours of training
        paretune.check_export(options.name, folder, formats, home=options.home, tracking_uri=options.tracking_uri)
    try:
        found = paretune.select(**{each.name: getattr(options, each.name) for each in fields(asked.Select)})
    except KeyboardInterrupt:
        if options.reseed is not None:
            typer.echo(f"go on: {shlex.join([program('paretune'), *sys.argv[1:]])}", err=True)
        raise
    result = {**found.as_json(), "top": [rated.as_json() for rated in found.fits[: options.top]]}
    taken, replaces = None, folder is not None and (folder / CARD).exists()
    if found.best is not None and folder is not None:
        with redirect_stdout(sys.stderr):
            taken = paretune.take(
                options.name,
                found.best,
                folder,
                budget={name: str(bound) for name, bound in options.written.items()},
                formats=formats,
                prefer=options.prefer,
                robust=options.robust,
                home=options.home,
                data=options.data,
                tracking_uri=options.tracking_uri,
                corrupt=options.corrupt,
                severity=options.severity,
            )
        result["export"] = taken
    if options.json:
        _print_json(result)
    elif found.best is None:
        if not paretune.open_study(options.name, options.home).points:
            raise ValueError(f"select: {options.name} must have a point, it has none yet; search on with --resume")
        nearest = "".join(f"\n  {miss}" for miss in found.misses)
        say(f"select: no point of {options.name} is within the budget; the nearest are{nearest}", err=True)
    else:
        say(selected(found, taken, folder, replaces=replaces))
        if options.top > 1:
            print_table(rated_table(found.fits[: options.top]))
    if found.best is None:
        raise typer.Exit(2)


@verb(model_app, asked.Evaluate, panel=TAKE)
def evaluate(options: asked.Evaluate) -> None:
    """Measure an exported model afresh, in every exported format; exit code 1 if the formats answer differently."""
    from compress.export.formats import read_card
    from search.shipping.verified_export import strange_forms

    with redirect_stdout(sys.stderr):  # what a user's own network prints is no JSON
        found = paretune.evaluate(
            options.folder,
            options.task,
            data=options.data,
            networks=options.networks,
            corrupt=options.corrupt,
            severity=options.severity,
        )
    if options.json:
        _print_json(found)
    else:
        say(evaluated(found, read_card(options.folder), options.folder))
    if strange := "; ".join(strange_forms(found["formats"])):
        raise RuntimeError(
            f"evaluate: every format of {options.folder} must answer as the network, {strange}; export it again"
        )


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))
