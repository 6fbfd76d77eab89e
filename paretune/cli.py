"""The `paretune` command: each verb of `import paretune` with its options, in words or as JSON.

Exit codes: 0 done, 1 the work failed, 2 the input was wrong and nothing was started. With `--json` standard output
carries JSON and nothing else; progress, notes and errors go to standard error.
"""

from __future__ import annotations

import paretune_names  # noqa: F401  # isort: skip  before all others: our modules are found from here on

import json
import shlex
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

import paretune
from paretune import verb_options as asked
from paretune.compare_words import budgets, joint_table, studies_table
from paretune.exit_code import exit_code
from paretune.reproduce_options import Reproduce, ReproduceTyped
from paretune.search_words import searched
from paretune.signature import verb
from paretune.study_verbs import front_as_json, teacher_as_json
from paretune.table_text import FORMATS
from paretune.tables import (
    breakpoints_table,
    front_table,
    methods_table,
    rated_table,
    series_table,
    study_table,
    trials_table,
)
from paretune.terminal import out
from paretune.view_commands import view_app
from paretune.words import reproduced, selected
from search.hints import program
from search.settings import Settings
from search.study.ledger import FILE
from search.study.record import StudyRecord
from search.study_file import filled
from search.uri import sqlite_uri

SEARCH, STUDY, TAKE, KEEP = "Search", "Look at a study", "Take a model", "Keep house"
"""Headings of verbs in `paretune --help`."""
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


@verb(app, Settings, filled, panel=SEARCH)
def search(settings: Settings) -> None:
    """Run a search, or resume a search, and print the front; options may stand in a study file."""
    _carried_out("search", settings, lambda: paretune.search(**vars(settings)))


@verb(app, asked.Run, name="run", panel=SEARCH)
def run_recipes(options: asked.Run) -> None:
    """Carry out given recipes as the trials of a study, and print the front."""
    _carried_out("run", options, lambda: paretune.run(**vars(options)))


def _carried_out(verb: str, asked: Settings | asked.Run, carry_out: Callable[[], StudyRecord]) -> None:
    """Carry out a study; print its front and what to type next."""
    name, home = asked.name, paretune.home_folder(asked.home)
    again = shlex.join([program("paretune"), *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
    try:
        found = carry_out()
    except KeyboardInterrupt:
        if (home / "studies" / name / FILE).exists():
            typer.echo(f"go on: {again}", err=True)
        raise
    from search.beginning.begin_checks import budget_of
    from search.study.study import Study

    _show_front(name, home)
    server = [program("mlflow"), "server", "--backend-store-uri", sqlite_uri(home / "mlflow.db")]
    next_steps = {"report": _reported(name, home), "go on": again}
    if asked.tracking_uri is None:
        next_steps["look"] = shlex.join(server)
    given: dict[str, object] = {"--home": home if home != paretune.home_folder() else None, "--data": asked.data}
    given["--tracking-uri"] = asked.tracking_uri
    where = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    said = searched(found, next_steps, where, program("paretune"), budget_of(Study(home, name)))
    typer.echo(said)
    if found.trials and all(trial.status == "failed" for trial in found.trials):
        raise RuntimeError(f"{verb} {name}: every trial failed, the first with {found.trials[0].reason}")


@verb(app, ReproduceTyped, panel=SEARCH)
def reproduce(options: ReproduceTyped) -> None:
    """Repeat a paper's study: run or go on with its grid, and write its tables, claims and figures."""
    try:
        found = paretune.reproduce(**{each.name: getattr(options, each.name) for each in fields(Reproduce)})
    except KeyboardInterrupt:
        typer.echo("go on: the same command", err=True)
        raise
    if options.json:
        return _print_json(found.as_json())
    return typer.echo(reproduced(found))


@verb(app, asked.Listing, panel=STUDY)
def front(options: asked.Listing) -> None:
    """The points that no other point beats on the study's objectives."""
    if options.json:
        return _print_json(paretune.front(options.study, home=options.home))
    return _show_front(options.study, options.home)


def _show_front(study: str, home: Path | None) -> None:
    record = paretune.open_study(study, home)
    out.print(front_table(front_as_json(record), teacher_as_json(record)))


@verb(app, asked.Show, panel=STUDY)
def show(options: asked.Show) -> None:
    """A study in short: options, trials and places; with --toml, the study file to repeat the study."""
    found = paretune.show(options.study, home=options.home)
    if options.json:
        return _print_json(found)
    if options.toml:
        return typer.echo(found["toml"], nl=False)
    return out.print(study_table(found))


@verb(app, asked.Listing, panel=STUDY)
def trials(options: asked.Listing) -> None:
    """Every trial with status, choices and number of points."""
    found = paretune.trials(options.study, home=options.home)
    if options.json:
        return _print_json([trial.as_json() for trial in found])
    return out.print(trials_table(found))


@verb(app, asked.RecipeOf, panel=STUDY)
def recipe(options: asked.RecipeOf) -> None:
    """The whole recipe of a point as JSON, for `paretune run`."""
    _print_json(paretune.recipe(options.study, options.point, home=options.home))


@verb(app, asked.SeriesOf, panel=STUDY)
def series(options: asked.SeriesOf) -> None:
    """Loss, training score and learning rate by epoch, over all steps that led to a point."""
    found = paretune.series(options.study, options.point, home=options.home)
    if options.json:
        return typer.echo(found.to_json(orient="records", indent=1))
    return out.print(series_table(found))


@verb(app, asked.Breakpoints, panel=STUDY)
def breakpoints(options: asked.Breakpoints) -> None:
    """The point of every curve from which quality falls faster than the model shrinks."""
    found = paretune.breakpoints(options.study, home=options.home, delta=options.delta)
    if options.json:
        return _print_json([breakpoint.as_json() for breakpoint in found])
    return out.print(breakpoints_table(found, paretune.open_study(options.study, options.home).quality))


@verb(app, asked.PrintedTable, panel=STUDY)
def table(options: asked.PrintedTable) -> None:
    """A figure by rows and columns, mean over seeds, as markdown, CSV or LaTeX."""
    found = paretune.table(**{each.name: getattr(options, each.name) for each in fields(asked.Table)})
    if options.json:
        return _print_json(found.as_json())
    return typer.echo(FORMATS[options.format](found))


@verb(app, asked.SelectAndExport, panel=TAKE)
def select(options: asked.SelectAndExport) -> None:
    """The best point within a budget, chosen on validation; with --export, the model itself."""
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
    taken = None
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
        typer.echo(f"select: no point of {options.name} is within the budget; the nearest are{nearest}", err=True)
    else:
        typer.echo(selected(found, taken, folder))
        if options.top > 1:
            out.print(rated_table(found.fits[: options.top]))
    if found.best is None:
        raise typer.Exit(2)


@verb(app, asked.Compare, panel=STUDY)
def compare(options: asked.Compare) -> None:
    """Fronts of several studies over each other: the front of all, hypervolumes, budgets where one is better."""
    found = paretune.compare(*options.studies, objectives=options.objectives, html=options.html, home=options.home)
    if options.json:
        return _print_json(found.as_json())
    out.print(studies_table(found))
    out.print(joint_table(found))
    for line in budgets(found):
        typer.echo(line)
    if options.html is not None:
        typer.echo(f"page: {options.html}")
    return None


@verb(app, asked.Report, panel=STUDY)
def report(options: asked.Report) -> None:
    """Write the study as a single HTML file that needs no network."""
    with redirect_stdout(sys.stderr):  # what a user's own network prints is no path
        path = paretune.report(
            options.study, options.out, home=options.home, attention=options.attention, data=options.data
        )
    typer.echo(path)


@verb(app, asked.Sync, panel=KEEP)
def sync(options: asked.Sync) -> None:
    """Bring MLflow up to date with the study's ledger."""
    paretune.sync(options.study, home=options.home, tracking_uri=options.tracking_uri)
    typer.echo(f"sync: {options.study} is in MLflow")


@verb(app, asked.Methods, panel=SEARCH)
def methods(options: asked.Methods) -> None:
    """Every method a recipe can name, with its source."""
    found = paretune.methods()
    if options.json:
        return _print_json(found)
    return out.print(methods_table(found))


@verb(app, asked.Evaluate, panel=TAKE)
def evaluate(options: asked.Evaluate) -> None:
    """Measure an exported model afresh, in every exported format; exit code 1 if the formats answer differently."""
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
        out.print_json(json.dumps(found))
    if strange := "; ".join(strange_forms(found["formats"])):
        raise RuntimeError(
            f"evaluate: every format of {options.folder} must answer as the network, {strange}; export it again"
        )


@verb(app, asked.OfStudy, panel=KEEP)
def clean(options: asked.OfStudy) -> None:
    """Drop the stored models of points outside every front; their figures stay."""
    dropped, freed = paretune.clean(options.study, home=options.home)
    typer.echo(f"clean: dropped {dropped} models of {options.study}, {freed / 1e6:.1f} MB")


app.add_typer(view_app)


def run() -> int:
    """Carry out the words of the process and return the exit code."""
    return exit_code(app)


def _reported(name: str, home: Path | None) -> str:
    """Write the report and return its path; "" and a note if the disk refuses: the search itself went well."""
    try:
        return str(paretune.report(name, home=home))
    except ValueError as error:
        typer.echo(f"note: {error}", err=True)
        return ""


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))
