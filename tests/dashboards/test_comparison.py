"""The page of a comparison: lines are the fronts, text is escaped, all scripts are there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from compress.figures import named as figures_named
from dashboards.comparison import comparison_page, figure, info
from dashboards.page import PICTURES, SCRIPTS, web
from search.study.comparison import Comparison, Named, compare
from tests.search.grids import curve, plain_teacher, recipe, study

(PARAMS,) = figures_named("params")
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def found() -> Comparison:
    a = study(plain_teacher(), curve(1, recipe(), {0.0: 0.96, 0.9: 0.90}), name="a")
    b = study(curve(1, recipe(), {0.0: 0.96, 0.45: 0.95, 0.9: 0.5}), name=EVIL)
    return compare([Named("a", a), Named(EVIL, b)])


def test_lines_are_the_fronts_by_rising_cost_and_know_the_joint_front(found: Comparison) -> None:
    a, b = info(found, "params")
    assert (a.study, a.costs, a.values, a.joint) == ("a", (100, 1000), (0.90, 0.98), (True, True))
    assert (b.costs, b.values, b.joint) == ((100, 550, 1000), (0.5, 0.95, 0.96), (False, True, False))


def test_the_figure_draws_a_line_a_study_with_rings_on_the_joint_front(found: Comparison) -> None:
    drawing = figure(info(found, "params"), PARAMS, found.quality)
    assert [list(line.x) for line in drawing.data] == [[100, 1000], [100, 550, 1000]]
    assert list(drawing.data[1].marker.line.width) == [0, 2, 0]
    assert "<img" not in drawing.to_json()


def test_a_study_without_a_model_has_no_line(found: Comparison) -> None:
    empty = replace(found.studies[1], front=())
    assert len(info(replace(found, studies=(found.studies[0], empty)), "params")) == 1


def test_the_page_is_whole_and_all_text_is_escaped(found: Comparison) -> None:
    page = comparison_page(found)
    assert "<img" not in page
    data = re.search(r'<script type="application/json" id="study">(.*)</script>', page)
    assert data is not None
    assert set(json.loads(data[1])["figures"]) == {"params"}
    assert 'id="params"' in page
    assert all(web(f"{name}.js") in page for name in PICTURES)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("scripts", [SCRIPTS, PICTURES])
def test_the_scripts_of_a_page_are_one_program(scripts: tuple[str, ...], tmp_path: Path) -> None:
    program = tmp_path / "page.js"
    program.write_text("const study = {};\n" + "\n".join(web(f"{name}.js") for name in scripts))
    done = subprocess.run(["node", "--check", str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
