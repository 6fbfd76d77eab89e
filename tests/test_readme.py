"""What the README says to type works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import torch
from typer.testing import CliRunner

from compress.data.splits import Batch
from compress.models import Model
from compress.pruning import PRUNERS, Pruner
from paretune.cli import app

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_method_of_the_readme_prunes() -> None:
    code, *_ = [block for block in BLOCKS if "Pruner" in block]
    names: dict[str, object] = {"__name__": "__main__"}
    exec(compile(code, "README.md", "exec", dont_inherit=True), names)
    (method,) = [m for m in names.values() if isinstance(m, type) and issubclass(m, Pruner) and m is not Pruner]
    model = Model("cnn").build(10, 1)
    shown = Batch(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    assert method.name not in PRUNERS  # it is still to be added
    assert set(method().scores(model, shown)) == set(PRUNERS["l1-filter"]().scores(model, shown))


def test_every_command_and_option_of_the_readme_exists() -> None:
    lines = re.findall(r"\.venv/bin/paretune (.*?)(?:\n(?! {4})|\"|$)", README.replace("\\\n", " "), re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        verb, *rest = shlex.split(line.split("#")[0])
        shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "300"}).output
        assert all(option in shown for option in rest if option.startswith("--")), line


def test_the_methods_table_names_every_method_and_model() -> None:
    shown = CliRunner().invoke(app, ["methods"]).output
    rows = [line.split() for line in shown.splitlines() if line.strip() and "─" not in line][1:]
    missing = [name for _, name, *_ in rows if f"`{name}`" not in README]
    assert rows
    assert not missing
