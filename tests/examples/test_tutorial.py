"""The tutorial notebook runs from top to bottom, and its cells show what a notebook can draw."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

import paretune
from spaces.space import EFFORT, Effort

NOTEBOOK = Path(__file__).parents[2] / "examples" / "tutorial.ipynb"


def carried_out(source: str, names: dict[str, Any]) -> Any:
    """The value of a cell's last line, as a notebook shows it."""
    *body, last = ast.parse(source).body
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(EFFORT, "digits", Effort(2, 1))
    cells = [
        "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    assert "trials=8" in cells[0]
    names: dict[str, Any] = {}
    study, front, figure, breakpoints, (files, accuracy) = (
        carried_out(cell.replace("trials=8", "trials=3"), names) for cell in cells
    )
    assert len(study.trials) == 3
    assert "<h4>tutorial</h4>" in study._repr_html_()
    assert list(front.index) == [point["id"] for point in paretune.front("tutorial", home="tutorial-runs")["points"]]
    assert isinstance(figure, go.Figure)
    assert sorted(figure.data[0].x) == sorted(study.points["params"])
    assert isinstance(breakpoints, pd.DataFrame)
    assert "model.pt2" in files
    assert 0 <= accuracy["test"] <= 1
