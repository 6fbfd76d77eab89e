"""A paper's study from its first trial to its page: a part of a grid, carried out for real."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import paretune
from dashboards import report
from paretune.verbs.reproduce import PAGE
from search.papers.text import Reproduction
from search.study.endings import INTERRUPTED
from search.study.record import StudyRecord

ONLY = ("study=one-shot", "network=VGG13", "target=95%", "method=FT,KD")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def found(home: Path) -> Reproduction:
    return paretune.reproduce("chen2021", only=ONLY, trial_run=True, images=64, scale="small", home=home, show=False)


def test_tables_are_written_in_every_form(found: Reproduction, home: Path) -> None:
    assert found.folder is not None
    text = (found.folder / "tables.md").read_text()
    assert text.startswith("# Trial run, no results: Chen et al. 2021")
    assert "(72.54)" in text  # the published figure of FT
    rows = list(csv.DictReader((found.folder / "tables.csv").read_text().splitlines()))
    assert {row["value"] != "" for row in rows if (row["row"], row["column"]) == ("KD", "VGG13 95%")} == {True}
    points = {point.id for point in paretune.open_study(found.study, home).points}
    assert {row["point"] for row in rows if row["value"]} <= points
    assert {row["seed"] for row in rows} == {"0", ""}
    tex = (found.folder / "tables.tex").read_text()
    assert tex.count(r"\begin{table}") == tex.count(r"\caption{") == tex.count(r"\end{tabular}") == len(found.tables)


def test_a_grid_run_in_part_leaves_cells_open(found: Reproduction) -> None:
    by_number = {table.table.number: table for table in found.tables}
    assert by_number["Table 2"].missing == 34
    assert {verdict.answer for verdict in found.verdicts} == {"cannot be told"}


def test_shared_trainings_are_counted(found: Reproduction) -> None:
    assert (found.work.alone, found.work.made) == (5, 4)


def test_the_page_has_tables_figures_and_maps(found: Reproduction) -> None:
    assert found.folder is not None
    page = (found.folder / PAGE).read_text()
    for words in ("Table 2", "Figure 11", "Figure 12", "data:image/png;base64", "cannot be told"):
        assert words in page


@pytest.mark.parametrize("way", ["raised", "written down"])
def test_after_ctrl_c_the_tables_of_what_is_there_are_written(
    found: Reproduction, home: Path, monkeypatch: pytest.MonkeyPatch, way: str, tmp_path: Path
) -> None:
    record = paretune.open_study(found.study, home)
    cut_off = replace(record, trials=(*record.trials, replace(record.trials[-1], status="stopped", reason=INTERRUPTED)))

    begun = tmp_path / "home"

    def interrupted(*_: object) -> StudyRecord:
        shutil.copytree(home, begun)  # a new study has its models by then
        if way == "raised":
            raise KeyboardInterrupt
        return cut_off

    monkeypatch.setattr("paretune.verbs.search.follow", interrupted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        paretune.reproduce("chen2021", only=ONLY, trial_run=True, images=64, scale="small", home=begun, out=str(out))
    text = (out / "tables.md").read_text()
    assert "A part of the grid, study=one-shot; network=VGG13; target=95%; method=FT, KD" in text


def test_the_report_has_the_tables_and_the_study_goes_on(found: Reproduction, home: Path) -> None:
    assert "Accuracy of networks pruned at once" in report(paretune.open_study(found.study, home))
    again = paretune.reproduce("chen2021", only=ONLY, trial_run=True, images=64, scale="small", home=home, show=False)
    assert [table.as_json() for table in again.tables] == [table.as_json() for table in found.tables]
