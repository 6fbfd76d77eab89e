"""An option is a field: of a dataclass, of the command's `--help` and of the Python function, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from importlib import metadata
from inspect import Parameter, signature
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import paretune
from compress.data.tasks import TASKS
from paretune import cli
from paretune.options import home as homes
from paretune.options import study as studied
from paretune.options import view as looked
from paretune.options.model import Evaluate, Select, SelectAndExport
from paretune.options.reproduce import Reproduce, ReproduceTyped
from paretune.options.search import Methods, RunTyped, Search, SearchTyped
from paretune.options.study import Table
from search.option_fields import options_of, typed_name
from search.sampling.optuna_study import SAMPLERS
from search.selection.budget import BOUNDS, Budget
from search.settings import Settings
from spaces import SPACES
from spaces.papers import PAPERS

VERBS = {
    "search": SearchTyped,
    "show": studied.Show,
    "run": RunTyped,
    "recipe": studied.RecipeOf,
    "front": studied.Listing,
    "trials": studied.Listing,
    "series": studied.SeriesOf,
    "breakpoints": studied.Breakpoints,
    "table": studied.PrintedTable,
    "compare": studied.Compare,
    "select": SelectAndExport,
    "report": studied.Report,
    "sync": homes.Sync,
    "methods": Methods,
    "evaluate": Evaluate,
    "clean": homes.Clean,
    "studies": homes.Studies,
    "status": studied.Listing,
    "stop": homes.Stop,
    "rename": homes.Rename,
    "delete": homes.Delete,
    "ui": homes.Ui,
    "robustness": looked.Robustness,
    "speed": looked.Speed,
    "layers": looked.Layers,
    "attention": looked.Attention,
    "reproduce": ReproduceTyped,
}
PYTHON_ONLY = {"show"}


def words(verb: str) -> set[str]:
    """The options and arguments of a verb, as they are typed."""
    command: Any = typer.main.get_command(cli.app)
    assert set(command.commands) == set(VERBS)
    return {word for each in command.commands[verb].params for word in each.opts} - {"--help"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_the_command_is_a_field_and_every_field_an_option(verb: str) -> None:
    options = options_of(VERBS[verb])
    assert set(options) == {each.name for each in fields(VERBS[verb])} - PYTHON_ONLY
    typed = {name if option.is_argument else typed_name(name, option) for name, option in options.items()}
    assert words(verb) == typed


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_every_option_with_its_text(verb: str) -> None:
    shown = CliRunner().invoke(cli.app, [verb, "--help"], env={"COLUMNS": "400"}).output
    for name, option in options_of(VERBS[verb]).items():
        assert typed_name(name, option) in shown
        assert option.help in shown


@pytest.mark.parametrize(
    ("function", "made", "python_only"),
    [
        (paretune.search, Settings, {"show"}),
        (paretune.select, Select, set()),
        (paretune.table, Table, set()),
        (paretune.reproduce, Reproduce, set()),
    ],
)
def test_a_function_takes_the_fields_with_their_defaults(
    function: Callable[..., object], made: Any, python_only: set[str]
) -> None:
    taken = {name: each.default for name, each in signature(function).parameters.items()}
    by_field = {name: each.default for name, each in signature(made).parameters.items()}
    assert {name: default for name, default in taken.items() if name not in python_only} == by_field
    assert set(taken) - set(by_field) == python_only


def test_a_study_must_be_named_to_select_from_it() -> None:
    assert signature(paretune.select).parameters["name"].default is Parameter.empty
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        paretune.select()  # type: ignore[call-arg]


def test_a_search_has_the_fields_of_its_settings_and_show() -> None:
    assert {each.name for each in fields(Search)} - {each.name for each in fields(Settings)} == PYTHON_ONLY


def test_help_names_every_space_task_and_sampler() -> None:
    options = options_of(Settings)
    for field, known in {"space": [*SPACES], "task": [*TASKS], "sampler": [*SAMPLERS]}.items():
        assert all(name in options[field].help for name in known), field
    assert all(name in options_of(Reproduce)["paper"].help for name in PAPERS)


def test_written_amounts_are_read_where_the_bounds_are_asked_for() -> None:
    settings = Settings("s", max_params="20k", min_accuracy="97%")
    assert settings.max_params == "20k"
    assert settings.budget == Budget.parse(max_params="20k", min_accuracy="97%")
    of_one = tuple(name for name in BOUNDS if name != "quality")  # the bound on accuracy by another name
    assert tuple(Budget(**dict.fromkeys(of_one, ".5")).bounds) == of_one


def test_help_waits_for_no_heavy_library() -> None:
    script = """
import sys
sys.argv[1:] = ["search", "--help"]
from paretune.cli import run
code = run()
heavy = {"torch", "ray", "mlflow", "optuna", "pandas", "plotly"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--max-params" in done.stdout


def test_the_version_is_that_of_the_installed_package() -> None:
    said = CliRunner().invoke(cli.app, ["--version"])
    assert (said.exit_code, said.output) == (0, f"paretune {metadata.version('paretune')}\n")
