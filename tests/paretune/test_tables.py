"""`paretune table` and `paretune compare` as typed, over a home with two studies, and over another home."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import paretune
import paretune.cli
from compress.quality import ACCURACY, Quality
from search.study.record import StudyRecord, point_event
from search.study.study import Study
from tests.search.grids import curve, grid, plain_teacher, recipe, study

Call = Callable[..., str]


def write(home: Path, record: StudyRecord) -> None:
    """Write a made-up study into the home."""
    made = Study(home, record.name)
    header: dict[str, Any] = {"objectives": list(record.objectives), "reference_point": dict(record.reference_point)}
    if record.quality != ACCURACY:
        header["quality"] = record.quality.as_json()
    made.begin(task=record.task, space=record.space, seed=0, fingerprint="f" * 64, **header)
    for each in record.trials:
        trial = made.ask(each.recipe, each.choices, None)
        for point in each.points:
            event = point_event(point.id, point.sparsity, point.variant, point.measured)
            made.add(trial, {**event, "family": point.family} if point.family else event)
        made.end(trial, "complete", "", 1.0, {})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the studies `grid` and `other` by accuracy, and `angles` and `more-angles` by an error in degrees."""
    folder = tmp_path_factory.mktemp("home")
    mae = Quality("mae", zero=20.0, one=0.0, unit="degrees")
    angles = {"quality": mae, "objectives": ("mae", "params"), "reference_point": {"mae": 0.0, "params": 10_000}}
    write(folder, replace(grid(), name="angles", **angles))  # type: ignore[arg-type]
    more = study(plain_teacher(), curve(1, recipe("crd"), {0.0: 0.97, 0.9: 0.8}), name="more-angles")
    write(folder, replace(more, **angles))  # type: ignore[arg-type]
    write(folder, grid())
    write(folder, study(plain_teacher(), curve(1, recipe("crd"), {0.0: 0.97, 0.9: 0.84}), name="other"))
    return folder


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `paretune` with these words over the home: what it prints."""

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["paretune", *map(str, words), "--home", str(home)])
        capfd.readouterr()
        code = paretune.cli.run()
        said = capfd.readouterr()
        assert (code, said.err) == (0, "")
        return said.out

    return run


def test_a_table_is_printed_as_markdown(call: Call) -> None:
    said = call("table", "grid", "--rows", "distiller", "--columns", "sparsity", "--only", "sparsity=0,45%")
    assert "| at        | **95.00 ± 2.00** |     89.00 ± 2.00 |" in said
    assert said.endswith("The plain teacher: 97.00.\n")


def test_a_table_takes_only_as_a_search_does(home: Path) -> None:
    by_name = paretune.table("grid", rows=("distiller",), only={"sparsity": [0, 0.45], "distiller": "kd"}, home=home)
    texts = ("sparsity=0,0.45", "distiller=kd")
    assert by_name == paretune.table("grid", rows=("distiller",), only=texts, home=home)
    assert by_name.only == texts


@pytest.mark.parametrize(("form", "first"), [("latex", "% grid: accuracy"), ("csv", "distiller,student,mean,")])
def test_a_table_is_printed_in_other_formats(call: Call, form: str, first: str) -> None:
    assert call("table", "grid", "--rows", "distiller, student", "--format", form).startswith(first)


def test_a_table_as_json_is_json_and_what_the_function_gives(call: Call, home: Path) -> None:
    words = ("table", "grid", "--rows", "distiller", "--columns", "sparsity", "--value", "params", "--json")
    found = paretune.table("grid", rows=("distiller",), columns=("sparsity",), value="params", home=home)
    assert json.loads(call(*words)) == json.loads(json.dumps(found.as_json()))


def test_studies_are_compared_in_words(call: Call) -> None:
    said = call("compare", "grid", "other")
    assert "accuracy, params of 2 studies" in said
    assert "best accuracy on validation within a budget of parameters:" in said
    assert "  100 to below 1,000: grid, by 1.00% to 9.00%\n  from 1,000: all equal\n" in said
    assert "hypervolume: from the reference accuracy 0, params 10,000" in said


def test_an_error_is_told_in_its_own_unit(call: Call) -> None:
    table = call("table", "angles", "--rows", "distiller", "--columns", "sparsity")
    assert table.startswith("angles: mae in degrees on test, distiller by sparsity; mean ± standard deviation over 3")
    assert "| at        | **1.000 ± 0.400** |     2.200 ± 0.400 |" in table
    assert "Bold: the lowest mean of each column." in table
    said = call("compare", "angles", "more-angles")
    assert (
        "best mae in degrees on validation within a budget of parameters:\n"
        "  100 to below 1,000: angles, by 1 to 2.6 degrees\n" in said
    )
    assert "from the reference mae 20, params 10,000" in said


def test_a_comparison_as_json_is_json(call: Call) -> None:
    found: Any = json.loads(call("compare", "grid", "other", "--json"))
    assert [one["name"] for one in found["studies"]] == ["grid", "other"]
    assert found["joint_front"][0]["studies"] == ["grid", "other"]


@pytest.mark.parametrize("place", ["{home}/grid", "{home}/studies/grid", "{home}/studies/grid/"])
def test_a_study_of_another_home_is_named_by_its_place(call: Call, home: Path, tmp_path: Path, place: str) -> None:
    elsewhere = Path(shutil.copytree(home, tmp_path / "elsewhere"))
    typed = place.format(home=elsewhere)
    found: Any = json.loads(call("compare", "grid", typed, "--json"))
    assert [(one["name"], one["share"], one["alone"]) for one in found["studies"]] == [("grid", 1, 0), (typed, 1, 0)]


def test_a_comparison_is_written_as_a_page(call: Call, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert call("compare", "grid", "other", "--html", page).endswith(f"page: {page}\n")
    assert "<h1>grid and other</h1>" in page.read_text()
