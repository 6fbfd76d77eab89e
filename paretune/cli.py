"""The `paretune` command: each verb of `import paretune` with its options, in words or as JSON.

Exit codes: 0 done, 1 the work failed, 2 the input was wrong and nothing was started. With `--json` standard output
carries JSON and nothing else; progress, notes and errors go to standard error.
"""

from __future__ import annotations

import paretune_names  # noqa: F401  # isort: skip  before all others: our modules are found from here on

import json as json_text
import logging
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import paretune
from paretune.words import breakpoints_table, front_table, methods_table, points_table, searched, selected, trials_table
from search.hints import program
from search.selection.preference import ACCURACY, PREFERENCES
from search.study.breakpoints import DELTA
from search.study.front import DEFAULT_OBJECTIVES, OBJECTIVES
from search.study.ledger import FILE
from search.uri import sqlite_uri

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Search over how to compress a trained network, look at the trade-offs, take the model that fits a budget.",
)
Study = Annotated[str, typer.Argument(help="Name of the study.", show_default=False)]


def _folder(text: str) -> Path:
    """A variable that is not set is no current folder."""
    if not text:
        raise typer.BadParameter("must name a folder, got ''")
    return Path(text)


HOMES = "Folder of everything; PARETUNE_HOME, else ./paretune-runs."
SETS = "Folder of published data sets; PARETUNE_DATA, else ./data."
Home = Annotated[Path | None, typer.Option("--home", help=HOMES, parser=_folder, metavar="PATH")]
Data = Annotated[Path | None, typer.Option("--data", help=SETS, parser=_folder, metavar="PATH")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Tracking = Annotated[
    str | None, typer.Option("--tracking-uri", help="MLflow server; the home's own database if left out.")
]
Bound = typer.Option(help="With k, M or G, or a share of the unpruned teacher such as 10%.", metavar="AMOUNT")
Least = typer.Option(help="In [0, 1], or a share of the teacher's such as 97%.", metavar="AMOUNT")
MODEL = "NAME or NAME@WEIGHTS, NAME of the zoo or package.module:function; more than once for several."
INTERRUPTED = 130
"""Exit code after Ctrl-C; typer's own."""
LONGEST = 1000
"""Characters of a complaint."""
_out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 200)


@app.command()
def search(
    space: Annotated[
        str, typer.Option(help="What may be tried: joint, slimnets2018, chen2021, aghli2021, malihi2023.")
    ] = "joint",
    task: Annotated[str, typer.Option(help="digits, cifar10, cifar100, fashion-mnist or folder:PATH.")] = "digits",
    trials: Annotated[int, typer.Option(help="Trials of the study in all.")] = 24,
    name: Annotated[str, typer.Option(help="Name of the study.")] = "demo",
    objectives: Annotated[str, typer.Option(help=f"Out of {', '.join(OBJECTIVES)}.")] = ",".join(DEFAULT_OBJECTIVES),
    time_budget: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of sampling and of all training.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study that exists.")] = False,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, such as auto.")] = None,
    cpus_per_trial: Annotated[int, typer.Option(help="Cores and torch threads of a trial.")] = 1,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(help="GPUs of a trial: a fraction shares one, 0 is the CPU; one where there are any if left out."),
    ] = None,
    tracking_uri: Tracking = None,
    storage_url: Annotated[str | None, typer.Option(help="Database of Optuna; a file in the home if left out.")] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Folder of all models, or s3://BUCKET/PREFIX; in the home if left out."),
    ] = None,
    student: Annotated[list[str] | None, typer.Option(help=f"A network to compress. {MODEL}")] = None,
    teacher: Annotated[list[str] | None, typer.Option(help=f"A network to learn from. {MODEL}")] = None,
    sampler: Annotated[str, typer.Option(help="Who proposes: auto, tpe, gp, nsga2 or random.")] = "auto",
    start_from: Annotated[
        str | None, typer.Option("--from", help="A study of this home, task and space: its front is tried first.")
    ] = None,
    trial_limit: Annotated[float | None, typer.Option(help="Give a trial up after this many seconds.")] = None,
    seeds: Annotated[int, typer.Option(help="Make what is on the front with so many seeds in all.")] = 1,
    whole_curves: Annotated[bool, typer.Option("--whole-curves", help="End no trial early.")] = False,
    max_params: Annotated[str | None, Bound] = None,
    max_nonzero_params: Annotated[str | None, Bound] = None,
    max_macs: Annotated[str | None, Bound] = None,
    max_flops: Annotated[str | None, Bound] = None,
    max_size_bytes: Annotated[str | None, Bound] = None,
    min_accuracy: Annotated[str | None, Least] = None,
    home: Home = None,
    data: Data = None,
) -> None:
    """Run a search, or go on with one; then say what it found."""
    again = shlex.join([program("paretune"), *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
    try:
        found = paretune.search(
            name,
            home=home,
            space=space,
            task=task,
            trials=trials,
            objectives=tuple(part.strip() for part in objectives.split(",")),
            time_budget_s=time_budget,
            seed=seed,
            resume=resume,
            address=address,
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            tracking_uri=tracking_uri,
            storage_url=storage_url,
            store=store,
            students=tuple(student or ()),
            teachers=tuple(teacher or ()),
            sampler=sampler,
            start_from=start_from,
            trial_limit_s=trial_limit,
            whole_curves=whole_curves,
            seeds=seeds,
            max_params=max_params,
            max_nonzero_params=max_nonzero_params,
            max_macs=max_macs,
            max_flops=max_flops,
            max_size_bytes=max_size_bytes,
            min_accuracy=min_accuracy,
            data=data,
        )
    except KeyboardInterrupt:
        if (paretune.home_folder(home) / "studies" / name / FILE).exists():
            typer.echo(f"go on: {again}", err=True)
        raise
    front(name, home, False)
    database = paretune.home_folder(home) / "mlflow.db"
    server = [program("mlflow"), "server", "--backend-store-uri", sqlite_uri(database)]
    next_steps = {"report": _reported(name, home), "go on": again}
    if tracking_uri is None:
        next_steps["look"] = shlex.join(server)
    given = {"--home": home, "--data": data, "--tracking-uri": tracking_uri}
    where = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    _out.print(searched(found, next_steps, where, program("paretune")), markup=False, highlight=False)
    if found.trials and all(trial.status == "failed" for trial in found.trials):
        raise RuntimeError(f"search {name}: every trial failed, the first with {found.trials[0].reason}")


@app.command()
def front(study: Study, home: Home = None, json: Json = False) -> None:
    """The points no other point beats on the study's objectives."""
    found = paretune.front(study, home=home)
    if json:
        return _json(found)
    return _out.print(front_table(found))


@app.command()
def trials(study: Study, home: Home = None, json: Json = False) -> None:
    """Every trial: how it ended, what it tried, how many points it gave."""
    found = paretune.trials(study, home=home)
    if json:
        return _json([trial.as_json() for trial in found])
    return _out.print(trials_table(found))


@app.command()
def breakpoints(
    study: Study,
    delta: Annotated[float, typer.Option(help="Tolerated loss of accuracy, in [0, 1].")] = DELTA,
    home: Home = None,
    json: Json = False,
) -> None:
    """Where every curve starts to fall faster than it shrinks."""
    found = paretune.breakpoints(study, home=home, delta=delta)
    if json:
        return _json([one.as_json() for one in found])
    return _out.print(breakpoints_table(found, delta))


@app.command()
def select(
    study: Study,
    max_params: Annotated[str | None, Bound] = None,
    max_nonzero_params: Annotated[str | None, Bound] = None,
    max_macs: Annotated[str | None, Bound] = None,
    max_flops: Annotated[str | None, Bound] = None,
    max_size_bytes: Annotated[str | None, Bound] = None,
    max_latency_ms: Annotated[str | None, Bound] = None,
    min_accuracy: Annotated[str | None, Least] = None,
    prefer: Annotated[str, typer.Option(help=f"What is best within the budget: {', '.join(PREFERENCES)}.")] = ACCURACY,
    robust: Annotated[
        bool, typer.Option("--robust", help="Compare by the lower end of the 95 % confidence over seeds.")
    ] = False,
    reseed: Annotated[
        int | None, typer.Option(help="First make the best, three or --top, with so many seeds in all.")
    ] = None,
    top: Annotated[int, typer.Option(help="Show so many of the points within the budget, the best first.")] = 1,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster for --reseed, such as auto.")] = None,
    export: Annotated[str | None, typer.Option(help="Write the model there, prove it, register it.")] = None,
    format: Annotated[
        str | None, typer.Option(help="What to write there: pt2, onnx, safetensors; without onnx if left out.")
    ] = None,
    home: Home = None,
    data: Data = None,
    tracking_uri: Tracking = None,
    json: Json = False,
) -> None:
    """The best point within a budget, chosen on validation; with --export, the model itself."""
    if address is not None and reseed is None:
        raise ValueError(f"address must come with --reseed N, got {address!r} alone")
    if format is not None and export is None:
        raise ValueError(f"format must come with --export DIR, got {format!r} alone")
    formats = paretune.FORMATS if format is None else tuple(part.strip() for part in format.split(","))
    bounds: dict[str, Any] = {
        "max_params": max_params,
        "max_nonzero_params": max_nonzero_params,
        "max_macs": max_macs,
        "max_flops": max_flops,
        "max_size_bytes": max_size_bytes,
        "max_latency_ms": max_latency_ms,
        "min_accuracy": min_accuracy,
    }
    if export == "":
        raise ValueError("export must name a folder, got ''")
    folder = None if export is None else Path(export)
    if reseed is not None and folder is not None:  # not after hours of training
        paretune.check_export(study, folder, formats, home=home, tracking_uri=tracking_uri)
    try:
        found = paretune.select(
            study,
            home=home,
            prefer=prefer,
            robust=robust,
            reseed=reseed,
            top=top,
            data=data,
            address=address,
            tracking_uri=tracking_uri,
            **bounds,
        )
    except KeyboardInterrupt:
        if reseed is not None:
            typer.echo(f"go on: {shlex.join([program('paretune'), *sys.argv[1:]])}", err=True)
        raise
    result = {**found.as_json(), "top": [rated.as_json() for rated in found.fits[:top]]}
    best, taken = found.best, None
    if best is not None and folder is not None:
        budget = {name: text for name, text in bounds.items() if text is not None}
        with redirect_stdout(sys.stderr):
            taken = paretune.take(
                study,
                best,
                folder,
                budget=budget,
                prefer=prefer,
                robust=robust,
                formats=formats,
                home=home,
                data=data,
                tracking_uri=tracking_uri,
            )
        result["export"] = taken
    if json:
        _json(result)
    elif best is None:
        if not paretune.open_study(study, home).points:
            raise ValueError(f"select: {study} must have a point, it has none yet; search on with --resume")
        nearest = "".join(f"\n  {miss}" for miss in found.misses)
        typer.echo(f"select: no point of {study} is within the budget; the nearest are{nearest}", err=True)
    else:
        _out.print(selected(found, taken, folder), markup=False, highlight=False)
        if top > 1:
            _out.print(points_table(found.fits[:top]))
    if best is None:
        raise typer.Exit(2)


@app.command()
def report(study: Study, out: Annotated[Path | None, typer.Option(help="Where to.")] = None, home: Home = None) -> None:
    """Write the study as one HTML file that needs no network."""
    typer.echo(paretune.report(study, out, home=home))


@app.command()
def sync(study: Study, home: Home = None, tracking_uri: Tracking = None) -> None:
    """Bring MLflow up to what the ledger says."""
    paretune.sync(study, home=home, tracking_uri=tracking_uri)
    typer.echo(f"sync: {study} is in MLflow")


@app.command()
def methods(json: Json = False) -> None:
    """Every method a recipe can name, with its source."""
    found = paretune.methods()
    if json:
        return _json(found)
    return _out.print(methods_table(found))


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="An exported model.", show_default=False)],
    task: Annotated[str | None, typer.Option(help="What to measure it on; its card's if left out.")] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="package.module:function of a network of your own, whose code may run.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure an exported model afresh, in every format that lies there; exit code 1 if they answer differently."""
    from search.shipping.verified_export import strange_forms

    with redirect_stdout(sys.stderr):  # what a user's own network prints is no JSON
        found = paretune.evaluate(folder, task, data=data, networks=tuple(network or ()))
    if json:
        _json(found)
    else:
        _out.print_json(json_text.dumps(found))
    if strange := strange_forms(found["formats"]):
        raise RuntimeError(
            f"evaluate: every format of {folder} must answer as the network, {'; '.join(strange)}; export it again"
        )


@app.command()
def clean(study: Study, home: Home = None) -> None:
    """Drop the stored models of points that no front needs; their figures stay."""
    dropped, freed = paretune.clean(study, home=home)
    typer.echo(f"clean: dropped {dropped} models of {study}, {freed / 1e6:.1f} MB")


def run() -> int:
    """Parse, carry out, and turn what went wrong into a sentence and an exit code, which is returned."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        code: int = app(standalone_mode=False) or 0
    except typer.TyperException as error:  # of the options themselves
        code = _complain(f"{error.format_message().rstrip('.')}; see paretune --help", 2)
    except ValueError as error:  # every complaint about input is one
        code = _complain(str(error), 2)
    except (RuntimeError, OSError) as error:
        code = _complain(str(error), 1)
    if code == INTERRUPTED:
        _complain("interrupted; everything finished is kept", code)
    return code


def _complain(sentence: str, code: int) -> int:
    """One line, however long what was typed, and whatever control characters are in it."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(sentence.splitlines()))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    typer.echo(f"paretune: {line}", err=True)
    return code


def _reported(name: str, home: Path | None) -> str:
    """Where the report is; "" and a note where it cannot be, for the search is over and well."""
    try:
        return str(paretune.report(name, home=home))
    except ValueError as error:
        typer.echo(f"note: {error}", err=True)
        return ""


def _json(value: object) -> None:
    print(json_text.dumps(value, indent=1))
