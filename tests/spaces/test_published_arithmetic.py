"""Figures of a paper that follow from others of it: they agree, or a note says that the paper contradicts itself."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from spaces import published
from spaces.published import Published, load

MALIHI = load("malihi2023")
PAIRS = tuple(dict.fromkeys(pair for table, _, pair in MALIHI if table == "Table 3"))
FIRST_TABLE = {"Table 3": "Table 1", "Table 4": "Table 2"}
pruned = pytest.mark.parametrize("table", FIRST_TABLE)


def places(paper: str) -> dict[tuple[str, str, str], int]:
    """Digits behind the point, as each figure is printed."""
    with (Path(published.__file__).parent / f"{paper}.csv").open(encoding="utf-8", newline="") as file:
        return {
            (line["table"], line["row"], line["column"]): len(line["value"].partition(".")[2])
            for line in csv.DictReader(file)
        }


def check(paper: str, cell: tuple[str, str, str], exact: float) -> None:
    """Assert that a figure without a note is `exact`, rounded or cut off, and that a figure with a note is not."""
    figure, unit = load(paper)[cell], 10.0 ** -places(paper)[cell]
    assert (abs(figure.value - exact) < unit - 1e-9) == (not figure.note), (cell, figure.value, exact)


@pruned
def test_decrease_and_rate_follow_from_the_parameters(table: str) -> None:
    for pair in PAIRS:
        before, left = (
            MALIHI[table, "teacher params", pair].value,
            MALIHI[table, "student params at breakpoint", pair].value,
        )
        check("malihi2023", (table, "decrease", pair), 100 * (1 - left / before))
        check("malihi2023", (table, "compression rate", pair), before / left)


@pruned
def test_the_accuracies_before_pruning_are_those_of_the_distillation_table(table: str) -> None:
    first = FIRST_TABLE[table]
    for pair in PAIRS:
        for row, whose in (("SimKD", "student accuracy"), ("teacher", "teacher accuracy")):
            one, again = MALIHI[first, row, pair], MALIHI[table, whose, pair]
            assert one.value == again.value or (one.note and again.note), (pair, row)


@pruned
def test_a_teacher_is_the_same_beside_every_student(table: str) -> None:
    rows = ("accuracy", "params", "accuracy at breakpoint", "params at breakpoint")
    for row in rows:
        seen: dict[str, list[Published]] = defaultdict(list)
        for pair in PAIRS:
            seen[pair.partition(" > ")[0]].append(MALIHI[table, f"teacher {row}", pair])
        for teacher, figures in seen.items():
            assert len({figure.value for figure in figures}) == 1 or all(f.note for f in figures), (teacher, row)


@pytest.mark.parametrize(("table", "data"), [("Table 3", "CIFAR-100"), ("Table 4", "CIFAR-10")])
def test_table_5_has_the_smallest_student_of_every_teacher(table: str, data: str) -> None:
    smallest: dict[str, float] = {}
    for pair in PAIRS:
        teacher, left = pair.partition(" > ")[0], MALIHI[table, "student params at breakpoint", pair].value
        smallest[teacher] = min(left, smallest.get(teacher, left))
    assert smallest == {
        teacher: f.value for (where, row, teacher), f in MALIHI.items() if (where, row) == ("Table 5", data)
    }


@pytest.mark.parametrize(
    ("tables", "low", "high"), [(("Table 1", "Table 3"), 47, 61), (("Table 2", "Table 4"), 75, 84)]
)
def test_accuracies_of_a_data_set_lie_close_together(tables: tuple[str, str], low: float, high: float) -> None:
    accuracies = [
        figure.value
        for (table, row, _), figure in MALIHI.items()
        if table in tables and figure.unit == "%" and row != "decrease"
    ]
    assert len(accuracies) == 9 * 11 + 4 * 11
    assert all(low < accuracy < high for accuracy in accuracies)


def test_the_papers_best_method_is_best_in_every_column() -> None:
    for table in ("Table 1", "Table 2"):
        for pair in PAIRS:
            column = {row: f.value for (where, row, of), f in MALIHI.items() if (where, of) == (table, pair)}
            column.pop("teacher")
            assert max(column, key=column.__getitem__) == "SimKD"


def test_what_slimnets_compares_is_what_its_tables_have() -> None:
    slim = load("slimnets2018")
    rate, seconds = ("Comparison", "low rank", "compression rate"), ("Comparison", "low rank", "speed-up")
    check("slimnets2018", rate, slim["Low rank", "VGG19", "MB"].value / slim["Low rank", "low rank", "MB"].value)
    saved = slim["Low rank", "VGG19", "seconds"].value - slim["Low rank", "low rank", "seconds"].value
    assert saved == pytest.approx(slim[seconds].value)
    params = {row: slim["Knowledge distillation", row, "params"].value for row in ("VGG19", "NIN")}
    check(
        "slimnets2018",
        ("Comparison", "knowledge distillation", "compression rate"),
        1000 * params["VGG19"] / params["NIN"],
    )
    check("slimnets2018", ("Comparison", "pruning", "compression rate"), 1 / (1 - 0.75))
    for method, cell in {
        "pruning": ("Pruning", "gradual", "75%"),
        "low rank": ("Low rank", "low rank", "accuracy"),
        "knowledge distillation": ("Knowledge distillation", "NIN", "with KD"),
    }.items():
        assert slim["Comparison", method, "accuracy"].value == slim[cell].value


def test_the_original_teacher_of_chen_is_the_network_that_was_pruned() -> None:
    chen = load("chen2021")
    assert chen["Table 3", "baseline", "ResNet32x4"].value == chen["Table 1", "baseline", "ResNet32x4"].value


def test_speed_up_in_flops_is_the_cut_of_play_and_prune() -> None:
    singh = load("singh2019")
    left = 1 - singh["Text", "one-shot", "FLOPs cut"].value / 100
    assert singh["Text", "theoretical speed-up", "batch 512"].value == pytest.approx(1 / left, rel=0.005)
