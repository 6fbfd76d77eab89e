"""Bad input, typed and called: exit code 2 or a ValueError, the same sentence, nothing started and nothing written.

What the command alone can be told, and what the options cannot be read as, is in `test_command.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import optuna
import pytest
import ray

import paretune
import paretune.cli
from compress.lowrank import SVD
from compress.measurement import Measurement
from compress.models import Model
from compress.pruning import OneShot
from compress.recipe import Recipe
from compress.stages import Factorize, Recovery, Stage, Train
from compress.store.folder import Store
from compress.training.settings import Training
from paretune.options.model import Select
from paretune.options.search import Run
from paretune.options.study import Compare, PrintedTable
from paretune.options.view import Attention, Layers, Robustness, Speed
from search.beginning import launch
from search.option_fields import options_of, typed_name
from search.settings import Settings
from search.study.record import point_event
from search.study.study import Study
from tests.wrong import (
    BOUNDS,
    COMPARISONS,
    CORRUPTED,
    EXPORTS,
    FORMATS,
    LEDGERS,
    LISTS,
    LOOKS,
    REPRODUCED,
    RUNS,
    SEARCHES,
    SELECTS,
    TABLES,
    UNTYPED,
)

HEADER: dict[str, Any] = {
    "task": "digits",
    "space": "joint",
    "objectives": ["accuracy", "params"],
    "seed": 0,
    "reference_point": {"accuracy": 0.0, "params": 1000},
}
OPTIONS = (
    options_of(Attention)
    | options_of(Layers)
    | options_of(Speed)
    | options_of(Robustness)
    | options_of(Compare)
    | options_of(PrintedTable)
    | options_of(Select)
    | options_of(Run)
    | options_of(Settings)
)


def tree(*folders: Path) -> dict[Path, bytes | None]:
    return {p: p.read_bytes() if p.is_file() else None for folder in folders for p in (folder, *folder.rglob("*"))}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a study `made`, several whose ledgers are damaged, and a store of a newer version."""
    folder = tmp_path_factory.mktemp("home")
    measured = Measurement(0.5, 0.4, 10, 9, 100, 1000, 900, 1.0, 2.0, "cpu", 1, 3.0)
    recipe = dict(Recipe("digits", Model("cnn", 0.25), (Train(),)).as_json())
    study = Study(folder, "made")
    study.begin(**HEADER)
    study.ask(recipe, {}, None)
    study.add(0, point_event("ab1", 0.0, "float", measured))
    study.end(0, "complete", "", 1.0, {})
    cut = Study(folder, "cut")
    cut.begin(**HEADER)
    cut.ask(recipe, {}, None)
    cut.ask({**recipe, "student": {"type": "model", "family": "cnn", "width": 1.0}}, {"lr": 0.05}, None)
    cut.add(1, point_event("cd1", 0.0, "float", measured))
    Study(folder, "photos").begin(**{**HEADER, "task": "cifar10"})
    Study(folder, "fewer").begin(**{**HEADER, "objectives": ["params", "macs"]})
    good = re.sub(',"crc":"[0-9a-f]+"', "", study.ledger.path.read_text())  # as of before, or made anew by somebody
    for name, ledger in {
        "newer": good.replace('"version":1', '"version":9'),
        "strange": good.replace('"version":1', '"version":"one"'),
        "orphan": good.replace('"trial":0,"id"', '"trial":7,"id"'),
        "short": good.replace('"task":"digits",', "", 1),
        "figures": good.replace('"params":10,', ""),
        "headless": good.partition("\n")[2],
    }.items():
        assert ledger != good
        (folder / "studies" / name).mkdir()
        (folder / "studies" / name / "ledger.jsonl").write_text(ledger)
    (folder / "studies" / "folder" / "ledger.jsonl").mkdir(parents=True)
    (folder / "studies" / "plain").write_text("no folder")
    entry = Store(folder / "store").path("ab1")
    entry.mkdir(parents=True)
    (entry / "model.safetensors").write_bytes(b"")
    (entry / "record.json").write_text(json.dumps({"version": 99}))
    return folder


def write_recipes(folder: Path) -> None:
    """Write files of recipes: a good recipe, and recipes that cannot be carried out here."""
    cut: Stage = Factorize(SVD(), 0.99, OneShot(1), Recovery(Training(epochs=1)))
    for name, model, stages in (
        ("good", Model("cnn"), (Train(),)),
        ("own", Model("my_net:make"), (Train(),)),
        ("weights", Model("cnn", weights="/gone.pt"), (Train(),)),
        ("deep", Model("cnn"), (Train(), cut)),
    ):
        (folder / f"{name}.json").write_text(json.dumps(Recipe("digits", model, stages).as_json()))
    strange = Recipe("os:system", Model("cnn"), (Train(),))
    (folder / "task.json").write_text(json.dumps(strange.as_json()))


@pytest.fixture(autouse=True)
def unharmed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does: Ray is not started, and home and current folder stay as they are, folders included."""

    def start(*_: object) -> NoReturn:
        raise AssertionError("a search was started")

    monkeypatch.setattr(launch, "started", start)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARETUNE_HOME", str(home))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    write_recipes(tmp_path)
    before = tree(home, tmp_path)
    yield
    assert tree(home, tmp_path) == before
    assert not ray.is_initialized()


Refused = Callable[..., None]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refused:
    """`refused(sentence, *words)`: the command says so on one plain line, and nothing else, with exit code 2."""

    def run(sentence: str, *words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["paretune", *words])
        capfd.readouterr()
        code = paretune.cli.run()
        out, err = capfd.readouterr()
        assert_one_line(code, out, err, sentence)

    return run


def assert_one_line(code: int, out: str, err: str, sentence: str) -> None:
    assert (code, out) == (2, ""), err
    assert err.startswith("paretune: ")
    assert sentence in err
    assert err.endswith("\n")
    assert err[:-1].isprintable(), "one line, no colours, no control characters"
    assert len(err) < 1100
    assert "secret" not in err
    assert "Traceback" not in err


def options(settings: dict[str, Any]) -> Iterator[str]:
    """As they are typed."""
    for name, value in settings.items():
        option = typed_name(name, OPTIONS[name])
        if OPTIONS[name].is_argument:
            yield from value if isinstance(value, tuple) else (str(value),)
        elif value is True:
            yield option
        elif isinstance(value, tuple) and not OPTIONS[name].commas:
            yield from (word for one in value for word in (option, one))
        else:
            yield from (option, ",".join(map(str, value)) if isinstance(value, tuple) else str(value))


def shown(case: object) -> str:
    return ascii(case)[:40]


@pytest.mark.parametrize(("settings", "sentence"), SEARCHES, ids=shown)
def test_a_search_is_refused_on_the_command_line(refused: Refused, settings: dict[str, Any], sentence: str) -> None:
    refused(sentence, "search", *options(settings))


@pytest.mark.parametrize(("settings", "sentence"), SEARCHES, ids=shown)
def test_a_search_is_refused_as_a_function(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011  the sentence is compared below
        paretune.search(settings.get("name", "demo"), **{k: v for k, v in settings.items() if k != "name"})
    assert sentence in str(told.value)


@pytest.mark.parametrize(("settings", "sentence"), UNTYPED, ids=shown)
def test_what_cannot_even_be_typed_is_refused_as_a_function(settings: dict[str, Any], sentence: str) -> None:
    test_a_search_is_refused_as_a_function(settings, sentence)


@pytest.mark.parametrize(("settings", "sentence"), RUNS, ids=shown)
def test_a_run_is_refused(refused: Refused, settings: dict[str, Any], sentence: str) -> None:
    refused(sentence, "run", *options(settings))
    with pytest.raises(ValueError) as told:  # noqa: PT011
        paretune.run(**settings)
    assert sentence in str(told.value)


@pytest.mark.parametrize("name", LEDGERS, ids=ascii)
@pytest.mark.parametrize("verb", LISTS)
def test_a_study_that_cannot_be_read_is_refused(refused: Refused, home: Path, verb: str, name: str) -> None:
    refused(LEDGERS[name], verb, name)
    with pytest.raises(ValueError) as told:  # noqa: PT011
        getattr(paretune, verb)(name, home=str(home))
    assert LEDGERS[name] in str(told.value)


@pytest.mark.parametrize(("bounds", "sentence"), BOUNDS, ids=shown)
def test_a_budget_is_refused(refused: Refused, bounds: dict[str, Any], sentence: str) -> None:
    refused(sentence, "select", "made", *options(bounds))
    with pytest.raises(ValueError) as told:  # noqa: PT011
        paretune.select("made", home=None, **bounds)
    assert sentence in str(told.value)


@pytest.mark.parametrize(("asked", "sentence"), TABLES, ids=shown)
def test_a_table_is_refused(refused: Refused, asked: dict[str, Any], sentence: str) -> None:
    study = asked.get("study", "cut")
    typed = {name: value for name, value in asked.items() if name != "study"}
    refused(sentence, "table", study, *options(typed))
    with pytest.raises(ValueError) as told:  # noqa: PT011
        paretune.table(study, **typed)
    assert sentence in str(told.value)


@pytest.mark.parametrize("form", ["", "xlsx", "MD", "\x1b[1m"])
def test_a_format_of_a_table_is_refused(refused: Refused, form: str) -> None:
    refused(
        f"table: format: unknown {form!r}, known are md, csv, latex", "table", "cut", "--rows", "lr", "--format", form
    )


@pytest.mark.parametrize(("studies", "asked", "sentence"), COMPARISONS, ids=shown)
def test_a_comparison_is_refused(
    refused: Refused, studies: tuple[str, ...], asked: dict[str, Any], sentence: str
) -> None:
    refused(sentence, "compare", *studies, *options(asked))
    with pytest.raises(ValueError) as told:  # noqa: PT011
        paretune.compare(*studies, **asked)
    assert sentence in str(told.value)


@pytest.mark.parametrize(("asked", "sentence"), SELECTS, ids=shown)
def test_a_choice_is_refused(refused: Refused, asked: dict[str, Any], sentence: str) -> None:
    refused(sentence, "select", "made", *options(asked))
    with pytest.raises(ValueError) as told:  # noqa: PT011
        paretune.select("made", **asked)
    assert sentence in str(told.value)


@pytest.mark.parametrize(("words", "sentence"), REPRODUCED, ids=shown)
def test_a_paper_that_cannot_be_repeated_is_refused(refused: Refused, words: tuple[str, ...], sentence: str) -> None:
    refused(sentence, "reproduce", *words)


@pytest.mark.parametrize(("verb", "points", "asked", "sentence"), LOOKS, ids=shown)
def test_a_look_at_models_is_refused(
    refused: Refused, verb: str, points: tuple[str, ...], asked: dict[str, Any], sentence: str
) -> None:
    if points:
        refused(sentence, verb, "made", *points, *options(asked))
    python = {"corruptions" if name == "corrupt" else name: value for name, value in asked.items()}
    if len(points) == 1 or verb != "robustness":
        with pytest.raises(ValueError) as told:  # noqa: PT011
            getattr(paretune, verb)("made", points[0] if verb == "robustness" else points, **python)
        assert sentence in str(told.value)


@pytest.mark.parametrize(("words", "sentence"), CORRUPTED, ids=shown)
def test_words_about_stored_models_are_refused(refused: Refused, words: tuple[str, ...], sentence: str) -> None:
    refused(sentence, *words)


def test_what_is_exported_to_a_place_that_is_taken_is_not_made_again_before(refused: Refused) -> None:
    refused(EXPORTS["full"], "select", "made", "--reseed", "2", "--export", "full")


def test_an_export_that_could_not_be_registered_is_refused_before_anything_is_made_again(refused: Refused) -> None:
    where = ("--export", "out", "--tracking-uri", "http://127.0.0.1:1")
    refused("tracking URI must name a running MLflow server", "select", "made", "--reseed", "2", *where)


def test_an_export_to_a_folder_without_a_name_is_refused(refused: Refused) -> None:
    refused("export must name a folder, got ''", "select", "made", "--export", "")


@pytest.mark.parametrize("folder", EXPORTS)
def test_an_export_is_refused(refused: Refused, folder: str) -> None:
    refused(EXPORTS[folder], "select", "made", "--export", folder)
    with pytest.raises(ValueError) as told:  # noqa: PT011
        paretune.take("made", paretune.open_study("made").points[0], Path(folder), budget={})
    assert EXPORTS[folder] in str(told.value)


@pytest.mark.parametrize(("formats", "sentence"), FORMATS, ids=shown)
def test_a_format_is_refused(refused: Refused, formats: str, sentence: str) -> None:
    refused(sentence, "select", "made", "--export", "out", "--format", formats)
    with pytest.raises(ValueError) as told:  # noqa: PT011
        paretune.take("made", paretune.open_study("made").points[0], Path("out"), budget={}, formats=formats.split(","))
    assert sentence in str(told.value)


@pytest.mark.parametrize("delta", ["nan", "inf", "-0.1", "2"])
def test_a_delta_is_refused(refused: Refused, delta: str) -> None:
    refused(f"breakpoints: delta must be in [0, 1], got {float(delta)}", "breakpoints", "made", "--delta", delta)


@pytest.mark.parametrize("folder", ["nowhere", "file", "full", "/proc", ""])
def test_a_folder_that_is_no_model_is_refused(refused: Refused, folder: str) -> None:
    refused("is not an exported model", "evaluate", folder)
    with pytest.raises(ValueError, match="is not an exported model"):
        paretune.evaluate(Path(folder), "digits")


@pytest.mark.parametrize("out", ["full", "file/report.html", "/proc/below/report.html"])
def test_a_place_for_a_report_is_refused(refused: Refused, out: str) -> None:
    refused(f"report: cannot write {out}: ", "report", "made", "--out", out)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("search", "--trials", str(10**12)), "trials must be at most 1000000, got 1000000000000"),
        (("select", "made", "--min-accuracy", "97"), "did you mean 0.97, or 97% of the unpruned teacher's?"),
    ],
)
def test_the_command_as_it_is_installed_refuses(words: tuple[str, ...], sentence: str) -> None:
    place = str(Path(paretune.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-m", "paretune", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": place, "FORCE_COLOR": "1"},
    )
    assert_one_line(done.returncode, done.stdout, done.stderr, sentence)


def test_a_home_that_was_not_there_is_not_there_afterwards(refused: Refused) -> None:
    refused("storage-url: cannot open 'nonsense'", "search", "--home", "new/home", "--storage-url", "nonsense")


def test_a_search_of_a_store_of_a_newer_version_leaves_no_study_in_the_database(
    refused: Refused, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('optuna') / 'o.db'}"
    refused("written by a newer version, 99", "search", "--name", "fresh", "--storage-url", url)
    assert optuna.get_all_study_names(url) == []
