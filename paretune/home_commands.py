"""The commands about the studies of a home: `studies`, `status`, `stop`, `rename`, `delete`, `ui` and others."""

from __future__ import annotations

import json
import sys

import typer

import paretune
from paretune import home_options as asked
from paretune import verb_options
from paretune.home_words import deleted_words, status_lines, studies_table
from paretune.signature import verb
from paretune.terminal import out

home_app = typer.Typer()
"""The commands, which `paretune/cli.py` adds to its own."""
HOME = "Studies of a home"
"""Heading of the verbs in `paretune --help`."""
TEACHER_STOPPED = "trial 0 is the unpruned teacher: without it shares such as --max-params 10% are not known"


@verb(home_app, asked.Studies, panel=HOME)
def studies(options: asked.Studies) -> None:
    """All studies of the home: running, interrupted or ended, with trials, models and front."""
    found = paretune.studies(home=options.home)
    if options.json:
        return _print_json(found)
    if not found:
        return typer.echo(f"studies: there is none in {paretune.home_folder(options.home)}")
    return out.print(studies_table(found))


@verb(home_app, verb_options.Listing, panel=HOME)
def status(options: verb_options.Listing) -> None:
    """The state of a study now: alive or dead, process and machine, the work of each trial, the time left."""
    found = paretune.status(options.study, home=options.home)
    if options.json:
        return _print_json(found)
    return out.print(status_lines(found))


@verb(home_app, asked.Stop, panel=HOME)
def stop(options: asked.Stop) -> None:
    """End a search as Ctrl-C would, or give up one of its trials; everything finished stays."""
    heard = paretune.stop(options.study, options.trial, home=options.home)
    if options.json:
        return _print_json({"study": options.study, "trial": options.trial, "heard": heard})
    what = f"trial {options.trial} of {options.study}" if options.trial is not None else options.study
    then = {None: "; the same command with --resume goes on", 0: f"; {TEACHER_STOPPED}"}.get(options.trial, "")
    if heard:
        return typer.echo(f"stop: {what} ends, everything finished stays{then}")
    return typer.echo(f"stop: {what} was asked to end, but its search has not heard yet{then}")


@verb(home_app, verb_options.Sync, panel=HOME)
def sync(options: verb_options.Sync) -> None:
    """Bring MLflow up to date with the study's ledger."""
    paretune.sync(options.study, home=options.home, tracking_uri=options.tracking_uri)
    typer.echo(f"sync: {options.study} is in MLflow")


@verb(home_app, asked.Clean, panel=HOME)
def clean(options: asked.Clean) -> None:
    """Drop the stored models of points outside every front; their figures stay."""
    dropped, freed = paretune.clean(options.study, home=options.home, dry_run=options.dry_run)
    if options.json:
        return _print_json({"study": options.study, "models": dropped, "bytes": freed, "dry_run": options.dry_run})
    done = "would drop" if options.dry_run else "dropped"
    return typer.echo(f"clean: {done} {dropped} models of {options.study}, {freed / 1e6:.1f} MB")


@verb(home_app, asked.Rename, panel=HOME)
def rename(options: asked.Rename) -> None:
    """Give a study another name, in the home and in MLflow; registered models keep theirs."""
    notes = paretune.rename(options.study, options.new, home=options.home, tracking_uri=options.tracking_uri)
    if options.json:
        return _print_json({"study": options.study, "new": options.new, "notes": notes})
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    return typer.echo(f"rename: {options.study} is {options.new} now")


@verb(home_app, asked.Delete, panel=HOME)
def delete(options: asked.Delete) -> None:
    """Delete a study, with the models that no other study has; says what goes, and asks before."""
    gone = paretune.deletion(options.study, home=options.home)
    if not options.yes:
        if options.json or not sys.stdin.isatty():
            raise ValueError(f"delete: must come with --yes where nobody can be asked, {deleted_words(gone)}")
        typer.echo(f"delete: {deleted_words(gone)}", err=True)
        if not typer.confirm(f"Delete {options.study}?", err=True):
            raise typer.Exit(1)
    gone = paretune.delete(options.study, home=options.home, tracking_uri=options.tracking_uri)
    if options.json:
        return _print_json(gone.as_json())
    return typer.echo(f"delete: {options.study} is gone; {deleted_words(gone)}")


@verb(home_app, asked.Ui, panel=HOME)
def ui(options: asked.Ui) -> None:
    """Start MLflow on the home, print the link to the study, until Ctrl-C."""
    from paretune.ui import serve

    serve(paretune.home_folder(options.home), options.study, options.port, typer.echo)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))
