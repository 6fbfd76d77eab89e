"""The commands that begin work: `search`, `run`, `reproduce`; and `methods`, what they try."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import typer

import paretune
from paretune.commands.signature import verb
from paretune.exit_code import INTERRUPTED
from paretune.options import search as asked
from paretune.options.reproduce import Reproduce, ReproduceTyped
from paretune.verbs.search import as_begun
from paretune.verbs.study import front_as_json, teacher_as_json
from paretune.words.search import searched
from paretune.words.selected import reproduced
from paretune.words.tables import front_table, methods_table
from paretune.words.terminal import print_table, say
from search.hints import program
from search.running.stop_heard import noticing
from search.settings import Settings
from search.study import endings
from search.study.ledger import FILE
from search.study.record import StudyRecord

search_app = typer.Typer()
"""The commands, which `paretune/cli.py` adds to its own."""
SEARCH = "Search"
"""Heading of the verbs in `paretune --help`."""
Typed = asked.SearchTyped | asked.RunTyped


@verb(search_app, asked.SearchTyped, lambda made, given: as_begun(Settings, given), panel=SEARCH)
def search(options: asked.SearchTyped) -> None:
    """Run a search, or resume a search, and print the front; options may stand in a study file."""
    given = {each.name: getattr(options, each.name) for each in fields(Settings)}
    _carried_out("search", options, lambda show: paretune.search(**given, show=show))


@verb(search_app, asked.RunTyped, lambda made, given: as_begun(asked.Run, given), name="run", panel=SEARCH)
def run_recipes(options: asked.RunTyped) -> None:
    """Carry out given recipes as the trials of a study, and print the front."""
    given = {each.name: getattr(options, each.name) for each in fields(asked.Run) if each.name != "show"}
    _carried_out("run", options, lambda show: paretune.run(**given, show=show))


def _carried_out(verb: str, typed: Typed, carry_out: Callable[[bool | str], StudyRecord]) -> None:
    """Carry out a study; print its front and what to type next, or the front as a line of JSON.

    After a stop, by `paretune stop` or a signal such as Ctrl-C, the exit code is `INTERRUPTED`.
    """
    name, home, show = typed.name, paretune.home_folder(typed.home), asked.show_of(typed)
    again = shlex.join([program("paretune"), *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
    if show is True and sys.stderr.isatty():  # the libraries, Ray and MLflow take seconds
        say(f"{verb} {name} in {home}", err=True)
    try:
        with noticing() as stop:
            found = carry_out(show)
    except KeyboardInterrupt:
        if (home / "studies" / name / FILE).exists():
            typer.echo(f"go on: {again}", err=True)
        raise
    report = _reported(name, home)
    if typed.json_lines:
        print(json.dumps({"event": "front", **front_as_json(found), "report": report}))
    else:
        _say_next(typed, home, {"report": report, "go on": again})
    if found.trials and all(trial.status == "failed" for trial in found.trials):
        raise RuntimeError(f"{verb} {name}: every trial failed, the first with {found.trials[0].reason}")
    if stop.is_heard or (stop.is_signal and any(trial.reason == endings.INTERRUPTED for trial in found.trials)):
        raise typer.Exit(INTERRUPTED)


def _say_next(typed: Typed, home: Path, next_steps: dict[str, str]) -> None:
    """Print the front of a study that was carried out, and commands to type next."""
    from search.beginning.begin_checks import budget_of
    from search.study.study import Study
    from search.tracking.page import page

    study = Study(home, typed.name)
    found = study.record
    print_table(front_table(front_as_json(found), teacher_as_json(found)))
    elsewhere = ["--home", str(home)] if home != paretune.home_folder() else []
    if typed.tracking_uri is None:
        next_steps["look"] = shlex.join([program("paretune"), "ui", typed.name, *elsewhere])
    else:
        next_steps["look"] = page(typed.tracking_uri, typed.name)
    given: dict[str, object] = {"--home": elsewhere[1] if elsewhere else None, "--data": typed.data}
    given["--tracking-uri"] = typed.tracking_uri
    where = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    say(searched(found, next_steps, where, program("paretune"), budget_of(study)))


def _reported(name: str, home: Path) -> str:
    """Write the report and return its path; "" and a note if the disk refuses: the search itself went well."""
    try:
        return str(paretune.report(name, home=home))
    except ValueError as error:
        say(f"note: {error}", err=True)
        return ""


@verb(search_app, ReproduceTyped, panel=SEARCH)
def reproduce(options: ReproduceTyped) -> None:
    """Repeat a paper's study: run or go on with its grid, and write its tables, claims and figures."""
    try:
        found = paretune.reproduce(**{each.name: getattr(options, each.name) for each in fields(Reproduce)})
    except KeyboardInterrupt:
        typer.echo("go on: the same command", err=True)
        raise
    if options.json:
        print(json.dumps(found.as_json(), indent=1))
    else:
        say(reproduced(found))


@verb(search_app, asked.Methods, panel=SEARCH)
def methods(options: asked.Methods) -> None:
    """Every method a recipe can name, with its source."""
    found = paretune.methods()
    if options.json:
        return print(json.dumps(found, indent=1))
    return print_table(methods_table(found))
