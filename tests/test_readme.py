"""What the README and the pages of docs/ say to type works."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest
import torch
from typer.testing import CliRunner

import paretune
from compress.data.splits import Batch
from compress.measurement import Measurement
from compress.models import Model
from compress.pruning import PRUNERS, Pruner
from paretune.cli import app
from search.study.record import point_event
from search.study.study import Study

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
DOCUMENTS = "\n".join(page.read_text() for page in PAGES)
METHODS = (ROOT / "docs" / "methods.md").read_text()
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measurement: Measurement) -> Study:
    """A study `demo` in the current folder, of one point within the README's budget and one beyond."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARETUNE_HOME", raising=False)
    study = Study(paretune.home_folder(), "demo")
    reference = {"accuracy": 0.0, "params": 10_000}
    study.begin(task="digits", space="joint", objectives=[*reference], seed=0, reference_point=reference)
    trial = study.ask({"seed": 0}, {}, None)
    for name, accuracy, params in (("within", 0.97, 4000), ("beyond", 0.99, 9000)):
        measured = replace(measurement, score_validation=accuracy, params=params)
        study.add(trial, point_event(name, params / 10_000, "float", measured))
    study.end(trial, "complete", "", 1.0, {})
    return study


def test_the_python_of_the_readme_takes_the_point_within_its_budget(
    demo: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = create_autospec(paretune.take)
    monkeypatch.setattr(paretune, "take", taken)
    monkeypatch.setattr(paretune, "search", create_autospec(paretune.search))
    (code,) = PYTHON.findall((ROOT / "README.md").read_text())
    exec(compile(code, "README.md", "exec", dont_inherit=True), {})
    assert capsys.readouterr().out.split() == ["beyond", "0.4", "9000", "within", "0.4", "4000"]
    (name, point, folder), words = taken.call_args
    assert (name, point.id, folder) == ("demo", "within", Path("out"))
    assert words == {"budget": {"max_params": "5k", "min_accuracy": ".95"}}


def test_the_method_of_the_documents_prunes() -> None:
    code, *_ = [block for block in PYTHON.findall(METHODS) if "Pruner" in block]
    names: dict[str, object] = {"__name__": "__main__"}
    exec(compile(code, "methods.md", "exec", dont_inherit=True), names)
    (method,) = [m for m in names.values() if isinstance(m, type) and issubclass(m, Pruner) and m is not Pruner]
    model = Model("cnn").build(10, 1)
    shown = Batch(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    assert method.name not in PRUNERS  # it is still to be added
    assert set(method().scores(model, shown)) == set(PRUNERS["l1-filter"]().scores(model, shown))


def test_every_command_and_option_of_the_documents_exists() -> None:
    lines = re.findall(r"\.venv/bin/paretune (.*?)(?:\n(?! {4})|\"|$)", DOCUMENTS.replace("\\\n", " "), re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        verb, *rest = shlex.split(line.split("#")[0])
        shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "300"}).output
        assert all(option in shown for option in rest if option.startswith("--")), line


def test_the_methods_table_names_every_method_and_model() -> None:
    shown = CliRunner().invoke(app, ["methods"]).output
    rows = [line.split() for line in shown.splitlines() if line.strip() and "─" not in line][1:]
    missing = [name for _, name, *_ in rows if f"`{name}`" not in METHODS]
    assert rows
    assert not missing
