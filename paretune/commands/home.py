"""The commands about the studies of a home: `studies`, `status`, `stop`, `rename`, `delete`, `ui` and others."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import typer

import paretune
from paretune.commands.signature import verb
from paretune.options import home as asked
from paretune.options.study import Listing
from paretune.verbs.home import go_on
from paretune.words.home import commands, deleted_words, status_lines, studies_table
from paretune.words.terminal import print_table, say
from search.settings import Settings, is_home_named
from search.study.study import Study
from search.uri import shown

home_app = typer.Typer()
"""The commands, which `paretune/cli.py` adds to its own."""
HOME = "Studies of a home"
"""Heading of the verbs in `paretune --help`."""
TEACHER = 0
"""Number of the trial that measures the unpruned teacher."""


@verb(home_app, asked.Studies, panel=HOME)
def studies(options: asked.Studies) -> None:
    """All studies of the home: running, interrupted or ended, with trials, models and front."""
    folder = paretune.home_folder(options.home)
    if is_home_named(options.home) and not folder.is_dir():
        raise ValueError(f"studies: there is none in {folder}; there is no such folder")
    found = paretune.studies(home=options.home)
    if options.json:
        return _print_json(found)
    if not found:
        return say(f"studies: there is none in {folder}")
    print_table(studies_table(found))
    return say("\n".join(commands(found))) if commands(found) else None


@verb(home_app, Listing, panel=HOME)
def status(options: Listing) -> None:
    """The state of a study now: alive or dead, process and machine, the work of each trial, the time left."""
    found = paretune.status(options.study, home=options.home)
    if options.json:
        return _print_json(found)
    print_table(status_lines(found))
    return say("\n".join(commands([found]))) if found["go_on"] else None


@verb(home_app, asked.Stop, panel=HOME)
def stop(options: asked.Stop) -> None:
    """End a search as Ctrl-C would, or give up one of its trials; everything finished stays."""
    if options.trial == TEACHER and not options.yes and _is_unmeasured(options):
        raise ValueError(
            f"stop: trial {TEACHER} measures the unpruned teacher, and shares such as --max-params 10% are of it; add "
            "--yes to stop it nevertheless, --resume measures it later"
        )
    heard = paretune.stop(options.study, options.trial, home=options.home)
    if options.json:
        return _print_json({"study": options.study, "trial": options.trial, "heard": heard})
    what = f"trial {options.trial} of {options.study}" if options.trial is not None else options.study
    done = "ends, everything finished stays" if heard else "was asked to end, but its search has not heard yet"
    say(f"stop: {what} {done}")
    if options.trial is None:
        study = Study(paretune.home_folder(options.home), options.study)
        say(f"go on: {go_on(study.name, study.home, of_recipes='recipes' in study.header)}")
    return None


@verb(home_app, asked.Sync, panel=HOME)
def sync(options: asked.Sync) -> None:
    """Bring MLflow up to date with the study's ledger."""
    settings = Settings(options.study, home=paretune.home_folder(options.home), tracking_uri=options.tracking_uri)
    paretune.sync(options.study, home=options.home, tracking_uri=options.tracking_uri)
    if options.json:
        return _print_json({"study": options.study, "mlflow": shown(settings.mlflow_uri)})
    return say(f"sync: {options.study} is in MLflow")


@verb(home_app, asked.Clean, panel=HOME)
def clean(options: asked.Clean) -> None:
    """Drop the stored models of points outside every front; their figures stay. Asks before, in a terminal."""
    if sys.stdin.isatty() and not (options.yes or options.dry_run or options.json):
        models, size = paretune.clean(options.study, home=options.home, dry_run=True)
        _confirm("clean", [f"{models:,} models outside every front go, {size / 1e6:.1f} MB in all"], "Drop them?")
    dropped, freed = paretune.clean(options.study, home=options.home, dry_run=options.dry_run)
    if options.json:
        return _print_json({"study": options.study, "models": dropped, "bytes": freed, "dry_run": options.dry_run})
    done = "would drop" if options.dry_run else "dropped"
    return say(f"clean: {done} {dropped} models of {options.study}, {freed / 1e6:.1f} MB")


@verb(home_app, asked.Rename, panel=HOME)
def rename(options: asked.Rename) -> None:
    """Give a study another name, in the home and in MLflow; registered models keep theirs."""
    notes = paretune.rename(options.study, options.new, home=options.home, tracking_uri=options.tracking_uri)
    if options.json:
        return _print_json({"study": options.study, "new": options.new, "notes": notes})
    for note in notes:
        say(f"note: {note}", err=True)
    return say(f"rename: {options.study} is {options.new} now")


@verb(home_app, asked.Delete, panel=HOME)
def delete(options: asked.Delete) -> None:
    """Delete a study, with the models that no other study has; says what goes, and asks before."""
    gone = paretune.deletion(options.study, home=options.home)
    if not options.yes:
        if options.json or not sys.stdin.isatty():
            raise ValueError(
                f"delete: must come with --yes where nobody can be asked; {'; '.join(deleted_words(gone))}"
            )
        _confirm("delete", deleted_words(gone), f"Delete {options.study}?")
    gone = paretune.delete(options.study, home=options.home, tracking_uri=options.tracking_uri)
    if options.json:
        return _print_json(gone.as_json())
    return say(f"delete: {options.study} is gone, {len(gone.models):,} models with it, {gone.size_bytes / 1e6:.1f} MB")


@verb(home_app, asked.Ui, panel=HOME)
def ui(options: asked.Ui) -> None:
    """Start MLflow on the home, print the link to the study, until Ctrl-C."""
    from paretune.verbs.ui import serve

    serve(paretune.home_folder(options.home), options.study, options.port, typer.echo)


def _is_unmeasured(options: asked.Stop) -> bool:
    found = paretune.trials(options.study, home=options.home)[TEACHER]
    return found.status == "running" and not found.points


def _confirm(who: str, lines: Sequence[str], question: str) -> None:
    """Ask on standard error; exit code 1 for a no."""
    for line in lines:
        say(f"{who}: {line}", err=True)
    if not typer.confirm(question, err=True):
        say(f"{who}: nothing was done", err=True)
        raise typer.Exit(1)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))
