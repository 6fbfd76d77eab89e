"""The commands that read a study: `front`, `trials`, `breakpoints`, `table`, `compare`, `report` and others."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import fields

import typer

import paretune
from paretune.commands.signature import verb
from paretune.options import study as asked
from paretune.verbs.study import front_as_json, teacher_as_json
from paretune.words.compare import budgets, joint_table, studies_table
from paretune.words.table_text import STAR, ahead, fitted, markdown_rows, notes, title
from paretune.words.tables import breakpoints_table, ending_now, front_table, series_table, study_table, trials_table
from paretune.words.terminal import does_fit, print_table, say
from search.study import driver_file

study_app = typer.Typer()
"""The commands, which `paretune/cli.py` adds to its own."""
STUDY = "Look at a study"
"""Heading of the verbs in `paretune --help`."""


@verb(study_app, asked.Listing, panel=STUDY)
def front(options: asked.Listing) -> None:
    """The points that no other point beats on the study's objectives."""
    if options.json:
        return _print_json(paretune.front(options.study, home=options.home))
    record = paretune.open_study(options.study, options.home)
    return print_table(front_table(front_as_json(record), teacher_as_json(record)))


@verb(study_app, asked.Show, panel=STUDY)
def show(options: asked.Show) -> None:
    """A study in short: options, trials and places; with --toml, the study file to repeat the study."""
    found = paretune.show(options.study, home=options.home)
    if options.json:
        return _print_json(found)
    if options.toml:
        return typer.echo(found["toml"], nl=False)
    return print_table(study_table(found))


@verb(study_app, asked.Listing, panel=STUDY)
def trials(options: asked.Listing) -> None:
    """Every trial with status, choices and number of points."""
    record = paretune.open_study(options.study, options.home)
    driver = driver_file.read(paretune.home_folder(options.home) / "studies" / record.name)
    lives = driver is not None and driver.is_alive
    waiting = driver.idle if driver is not None and lives else ()
    if options.json:
        words = (ending_now(trial, lives=lives, waiting=waiting) for trial in record.trials)
        rows = zip(record.trials, words, strict=True)
        return _print_json([{**trial.as_json(), "ending": how} for trial, how in rows])
    return print_table(trials_table(record.trials, lives=lives, waiting=waiting))


@verb(study_app, asked.RecipeOf, panel=STUDY)
def recipe(options: asked.RecipeOf) -> None:
    """The whole recipe of a point as JSON, for `paretune run`."""
    _print_json(paretune.recipe(options.study, options.point, home=options.home))


@verb(study_app, asked.SeriesOf, panel=STUDY)
def series(options: asked.SeriesOf) -> None:
    """Loss, training score and learning rate by epoch, over all steps that led to a point."""
    found = paretune.series(options.study, options.point, home=options.home)
    if options.json:
        return typer.echo(found.to_json(orient="records", indent=1))
    return print_table(series_table(found))


@verb(study_app, asked.Breakpoints, panel=STUDY)
def breakpoints(options: asked.Breakpoints) -> None:
    """The point of every curve from which quality falls faster than the model shrinks."""
    found = paretune.breakpoints(options.study, home=options.home, delta=options.delta)
    if options.json:
        return _print_json([breakpoint.as_json() for breakpoint in found])
    return print_table(breakpoints_table(found, paretune.open_study(options.study, options.home).quality))


@verb(study_app, asked.PrintedTable, panel=STUDY)
def table(options: asked.PrintedTable) -> None:
    """A figure by rows and columns, mean over seeds, as markdown, CSV or LaTeX."""
    found = paretune.table(**{each.name: getattr(options, each.name) for each in fields(asked.Table)})
    if options.json:
        return _print_json(found.as_json())
    if options.format != "md" or not sys.stdout.isatty():
        return typer.echo(paretune.table_text(found, options.format))
    say("\n".join([title(found), *ahead(found), ""]))
    if does_fit(lines := markdown_rows(found)):
        return say("\n".join([*lines, "", *notes(found)]))
    print_table(fitted(found))
    return say("\n".join(["", *notes(found, STAR)]))


@verb(study_app, asked.Compare, panel=STUDY)
def compare(options: asked.Compare) -> None:
    """Fronts of several studies over each other: the front of all, hypervolumes, budgets where one is better."""
    found = paretune.compare(*options.studies, objectives=options.objectives, html=options.html, home=options.home)
    if options.json:
        return _print_json(found.as_json())
    print_table(studies_table(found))
    print_table(joint_table(found))
    say("\n".join(budgets(found)))
    if options.html is not None:
        typer.echo(f"page: {options.html}")
    return None


@verb(study_app, asked.Report, panel=STUDY)
def report(options: asked.Report) -> None:
    """Write the study as a single HTML file that needs no network."""
    with redirect_stdout(sys.stderr):  # what a user's own network prints is no path
        further = {name: getattr(options, name) for name in ("beside", "robustness", "attention", "data")}
        path = paretune.report(options.study, options.out, home=options.home, **further)
    if options.json:
        return _print_json({"study": options.study, "report": str(path)})
    return typer.echo(path)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))
