"""Labels of published figures: columns in the order of the paper, rows as the line of the paper names them."""

from __future__ import annotations

from collections import defaultdict

import pytest

from spaces.published import load

DISTILLED = (
    "ResNet101 > ResNet50",
    "ResNet101 > ResNet18",
    "ResNet152 > ResNet34",
    "DenseNet169 > MobileNetV2",
    "DenseNet121 > MobileNetV2",
    "DenseNet161 > DenseNet169",
    "DenseNet161 > DenseNet201",
    "EfficientNet-B1 > EfficientNet-B0",
    "EfficientNet-B3 > EfficientNet-B2",
    "EfficientNet-B5 > EfficientNet-B4",
    "EfficientNet-B3 > MobileNetV2",
)
PRUNED = (DISTILLED[0], DISTILLED[2], DISTILLED[1], *DISTILLED[3:9], DISTILLED[10], DISTILLED[9])
BIG = ("EfficientNet-B1", "EfficientNet-B3", "EfficientNet-B5")
TEACHERS = ("ResNet101", "ResNet152", "DenseNet169", "DenseNet121", "DenseNet161", *BIG)
NETWORKS = ("ResNet32x4", "VGG13", "WRN-40-2")
COLUMNS = {
    ("malihi2023", "Table 1"): DISTILLED,
    ("malihi2023", "Table 2"): DISTILLED,
    ("malihi2023", "Table 3"): PRUNED,
    ("malihi2023", "Table 4"): PRUNED,
    ("malihi2023", "Table 5"): TEACHERS,
    ("slimnets2018", "Pruning"): ("40%", "75%", "87.5%"),
    ("slimnets2018", "Knowledge distillation"): ("params", "alone", "with KD"),
    ("slimnets2018", "Comparison"): ("compression rate", "accuracy", "speed-up"),
    ("chen2021", "Table 1"): NETWORKS,
    ("chen2021", "Table 2"): tuple(f"{network} {share}" for network in NETWORKS for share in ("90%", "95%", "97.5%")),
    ("chen2021", "Table 3"): ("ResNet32x4", "ResNet50"),
    ("chen2021", "Table 4"): ("ResNet32x4", "ResNet50"),
}
PARTIAL = {"[14]": 1, "[22]": 1, "VGG19": 2}
"""Rows with the first columns alone."""
PRINTED = {
    ("malihi2023", "SP"): "similarity ",
    ("malihi2023", "teacher"): "Teacher",
    ("slimnets2018", "at once"): "Non-Gradual",
    ("slimnets2018", "gradual"): "Gradual",
    ("slimnets2018", "pruning"): "Sparse Pruning",
    ("slimnets2018", "low rank"): "Low-Rank",
    ("slimnets2018", "knowledge distillation"): "Knowledge Distillation",
    ("chen2021", "baseline"): "Top-1 acc.",
}


@pytest.mark.parametrize(("paper", "table"), COLUMNS)
def test_the_columns_of_every_row_are_those_of_the_paper_in_its_order(paper: str, table: str) -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for where, row, column in load(paper):
        if where == table:
            found[row].append(column)
    for row, columns in found.items():
        assert columns == list(COLUMNS[paper, table])[: PARTIAL.get(row)], row


@pytest.mark.parametrize(("paper", "table"), [key for key in COLUMNS if key[1] not in ("Table 3", "Table 4")])
def test_a_text_begins_with_the_name_of_its_row(paper: str, table: str) -> None:
    for (where, row, column), figure in load(paper).items():
        if where != table:
            continue
        begins = PRINTED.get((paper, row), row)
        if (paper, table) == ("chen2021", "Table 2"):
            network = column.rpartition(" ")[0].replace("WRN-40-2", "WRN_40_2")
            begins = f"{network} pruned, {row} "
        assert figure.text.startswith(begins), (row, column)
        assert table != "Pruning" or f"Pruning {column[:-1]}" in figure.text


def test_the_rows_of_malihis_pruning_tables_are_named_in_their_texts() -> None:
    names = {
        "accuracy": "ACC",
        "params": "P",
        "decrease": "Percentage Decrease",
        "compression rate": "Compression rate",
    }
    for (table, row, _), figure in load("malihi2023").items():
        if table in ("Table 3", "Table 4"):
            words = row.removeprefix("teacher ").removeprefix("student ")
            assert figure.text.startswith(names[words.removesuffix(" at breakpoint")]), row
            if "at breakpoint" in words:
                assert "breakpoint" in figure.text or "after pruning" in figure.text
            elif words in ("accuracy", "params"):
                assert "distillation" in figure.text or "before pruning" in figure.text


def test_malihis_teacher_comes_before_its_student() -> None:
    cells = [cell for cell in load("malihi2023") if cell[0] in ("Table 3", "Table 4") and cell[1].startswith("teacher")]
    order = list(load("malihi2023"))
    for table, row, pair in cells:
        after = order[order.index((table, row, pair)) + 1]
        assert after == (table, row.replace("teacher", "student"), pair)


def test_the_pruned_students_of_slimnets_are_read_by_their_lines() -> None:
    slim = load("slimnets2018")
    for share in ("40%", "75%", "87.5%"):
        assert f"best model {share} sparse" in slim["Combination", "accuracy", share].text
