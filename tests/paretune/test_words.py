"""What the command says of a study by an error: the quality's name, its unit and its direction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from compress.quality import ACCURACY, Quality
from paretune.verbs.study import teacher_as_json
from paretune.words.evaluated import evaluated
from paretune.words.fitted_table import FittedTable
from paretune.words.selected import selected
from paretune.words.tables import breakpoints_table, front_table
from search.selection.budget import Budget
from search.selection.selection import choose
from search.study.breakpoints import breakpoints
from search.study.record import StudyRecord
from search.study.seeds import front_of
from tests.dashboards.records import MAE, by, point, study, trial


def record(quality: Quality) -> StudyRecord:
    """A teacher and a curve of a student, whose models have 2, 3, 3.2 and 10 degrees."""
    made = {"student": {"family": "cnn", "width": 1.0}, "stages": [], "seed": 0}
    curve = [point(1, score, 100 - n, sparsity=n / 5) for n, score in enumerate((0.85, 0.84, 0.5))]
    student, teacher = (replace(one, recipe=made) for one in (curve[0], point(0, 0.9, 1000)))
    found = study(trial(0, teacher), trial(1, student, *(replace(one, recipe=made) for one in curve[1:])))
    return found if quality == ACCURACY else by(quality, found)


def shown(table: FittedTable) -> list[str]:
    console = Console(width=200)
    with console.capture() as said:
        console.print(table)
    return [" ".join(line.split()) for line in said.get().splitlines()]


def front(found: StudyRecord) -> dict[str, Any]:
    best = front_of(found.points, found.objectives)
    quality = {} if found.quality == ACCURACY else {"quality": found.quality.as_json()}
    points = [{**family.points[0].as_json(), "seeds": family.as_json()} for family in best]
    return {"study": "s", "hypervolume": 0.5, "objectives": found.objectives, "points": points, **quality}


def test_a_front_says_the_name_of_its_quality_and_the_unit_once() -> None:
    lines = shown(front_table(front(record(MAE))))
    assert lines[0] == "s: 4 points on the front, hypervolume 0.5000; mae in degrees"
    assert lines[2].startswith("point trial mae validation mae test params")
    assert " 0 2 4 1,000 " in lines[4]
    assert lines[4].endswith(" cnn")


def test_a_front_by_accuracy_has_its_columns_of_old() -> None:
    lines = shown(front_table(front(record(ACCURACY))))
    assert lines[0] == "s: 4 points on the front, hypervolume 0.5000"
    assert lines[2].startswith("point trial validation test params")


def test_breakpoints_name_the_unit_of_the_tolerance() -> None:
    lines = shown(breakpoints_table(breakpoints(record(MAE)), MAE))
    assert "trial curve unpruned within 0.2 degrees mae point knee mae point" in lines[0]
    (found,) = breakpoints(record(MAE))
    assert found.knee_point is not None
    held, bend = found.tolerance_point[:8], found.knee_point[:8]
    assert f"1 float 3 20% 3.2 {held} 20% 3.2 {bend}" in lines[2]
    assert "within 0.01 accuracy point knee" in shown(breakpoints_table(breakpoints(record(ACCURACY)), ACCURACY))[0]


def test_a_pick_is_said_in_the_unit_and_so_is_what_more_would_buy() -> None:
    found = record(MAE)
    said = selected(choose(found.points, Budget.parse(max_params="100")), None, None)
    assert "  mae 3 degrees on validation, 5 degrees on test" in said
    assert "--max-params 1000 buys the unpruned teacher, 1 degrees better on validation" in said


def test_an_export_of_values_is_not_said_to_have_classes() -> None:
    found = record(MAE)
    form = {"images": 9, "agreement": 1.0, "difference": 1e-6, "latency": [{"median_ms": 1.0, "batch": 1}]}
    taken: dict[str, Any] = {"files": [], "threads": 1, "machine": {"processor": "Z80"}, "registered": "", "alias": ""}
    for compares, words in (
        ({"compares": "values"}, "same values on 100.00% of 9 test images, outputs within 1e-06"),
        ({}, "same class on 100.00% of 9 test images, logits within 1e-06"),
    ):
        said = selected(choose(found.points, Budget()), {**taken, "formats": {"pt2": {**form, **compares}}}, None)
        assert f"  pt2: {words}" in said


def test_a_single_form_is_not_said_to_agree_with_itself(tmp_path: Path) -> None:
    form = {"images": 9, "agreement": 1.0, "difference": 0.0, "latency": [{"median_ms": 0.0307, "batch": 1}]}
    found = {"accuracy": {"validation": 0.5, "test": 0.25}, "threads": 1, "machine": {"processor": "Z80"}}
    one = {**found, "device": "cpu", "formats": {"onnx": form}}
    assert "onnx: nothing to compare with; 0.0307 ms for 1" in evaluated(one, {}, tmp_path)
    two = {**one, "formats": {"pt2": form, "onnx": form}}
    assert "onnx: same class on 100.00% of 9 test images" in evaluated(two, {}, tmp_path)


def test_the_teacher_stands_first_and_the_others_beside_what_they_are_of_it() -> None:
    found = record(ACCURACY)
    teacher = teacher_as_json(found)
    assert teacher is not None
    said = shown(front_table({**front(found), "objectives": ("accuracy", "compressed_bytes")}, teacher))
    head, first, second = said[2], said[4], said[5]
    assert head == "point trial validation test params FLOPs kB bytes, deflated ms recipe"
    assert "1,000 100%" in first
    assert first.endswith("teacher: cnn")
    assert "100 10%" in second
    assert said[-1] == "%: share of the teacher's, which is the first row; kB: size on disk; ms: latency of one image"
    assert sum(line.startswith(teacher["id"][:8]) for line in said) == 1


@pytest.mark.parametrize("quality", [ACCURACY, MAE])
@pytest.mark.parametrize("objectives", [(), ("latency_ms",), ("nonzero_params", "macs")])
@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_front_with_seeds_fits_eighty_columns_and_no_figure_is_cut(
    quality: Quality, objectives: tuple[str, ...], width: int
) -> None:
    found = record(quality)
    seeds = {"count": 3, "validation": 0.98331234, "test": 0.97, "margin": 0.00421234}
    points = [{**each, "seeds": seeds, "params": 25_557_032, "macs": 4.1e9} for each in front(found)["points"]]
    teacher = teacher_as_json(found)
    asked = {**front(found), "points": points, "objectives": ("accuracy", *objectives)}
    console = Console(width=width)
    with console.capture() as said:
        console.print(front_table(asked, teacher))
    lines = [line.rstrip() for line in said.get().splitlines()]
    assert max(map(len, lines)) <= width
    assert "…" not in said.get()
    whole = " ".join(said.get().split())
    assert ("figures rounded up" in whole) == ("25,557,032" not in whole)
    assert "25,557,032" in whole or "25.6M" in whole
    assert "0.9833" in whole
