"""Published figures: each stands in the words of its source at its place, and no cell of a table is missing.

`PARETUNE_PAPERS=FOLDER` names a folder of the sources' texts; then every fragment is looked up in its paper's text.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from spaces import published
from spaces.published import PAPERS, UNITS, load

Line = Mapping[str, str]
FOLDER = Path(published.__file__).parent
SOURCES = {
    "malihi2023": "malihi-2023*.txt",
    "slimnets2018": "slimnets-2018*.txt",
    "chen2021": "chen-2021*.txt",
    "aghli2021": "blog-aghli*.txt",
    "resrep2021": "resrep-2021*.txt",
    "singh2019": "blog-aghli*.txt",
}
RANGES = {
    "%": (0, 100),
    "points": (0, 20),
    "1e7 params": (0.1, 7),
    "1e6 params": (1, 30),
    "1e3 params": (100, 1000),
    "x": (1, 100),
    "share": (0, 1),
    "channels": (1, 512),
    "degrees": (0, 90),
    "MB": (1, 100),
    "s": (0, 10),
    "epochs": (1, 480),
    "steps": (1, 100),
}
METHODS, PAIRS = 8, 11
CELLS = {
    "malihi2023": {
        "Table 1": (METHODS + 1) * PAIRS,
        "Table 2": (METHODS + 1) * PAIRS,
        "Table 3": 10 * PAIRS,
        "Table 4": 10 * PAIRS,
        "Table 5": 8 + 8 + 1 + 1,
        "Text": 6,
    },
    "slimnets2018": {
        "Pruning": 2 * 3,
        "Low rank": 16 + 2 * 3,
        "Knowledge distillation": 7 * 3 - 1,
        "Comparison": 3 * 3,
        "Combination": 3 + 1,
        "Text": 10,
    },
    "chen2021": {"Table 1": 3, "Table 2": 4 * 3 * 3, "Table 3": 2, "Table 4": 3 * 2, "Text": 6},
    "aghli2021": {"Table 1": 2, "Text": 2 + 2 * 3},
    "resrep2021": {"Text": 2 * 3},
    "singh2019": {"Text": 2 + 2 + 3},
}
WORDS = {"1/2": "half"}
RUNNING = ("Text", "Low rank")
TIMES = "\N{MULTIPLICATION SIGN}"
LABEL = re.compile(rf"[134]?|.*\D|.*[A-Za-z{TIMES}]\d+")
"""What may stand before a figure: the sign of a footnote, or words that end in a number as Res101 does."""
every_paper = pytest.mark.parametrize("paper", PAPERS)


def lines(paper: str) -> list[Line]:
    with (FOLDER / f"{paper}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def folded(text: str) -> str:
    return " ".join(text.split())


def test_a_paper_that_is_not_known_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="published: unknown 'malihi', known are aghli2021, chen2021, malihi2023"):
        load("malihi")


def test_every_file_is_of_a_known_paper() -> None:
    assert {file.stem for file in FOLDER.glob("*.csv")} == set(PAPERS)


@every_paper
def test_what_is_loaded_is_what_the_file_says(paper: str) -> None:
    figures = load(paper)
    assert len(figures) == len(lines(paper))
    assert all((line["table"], line["row"], line["column"]) in figures for line in lines(paper))


def test_a_fraction_a_deviation_and_a_figure_without_either_are_read() -> None:
    assert load("aghli2021")["Text", "ResNet50", "filters of un-prunable layers"].value == 1 / 32
    spread = load("malihi2023")["Table 3", "teacher accuracy", "EfficientNet-B3 > EfficientNet-B2"]
    assert (spread.value, spread.spread, "58.1 ± 0.5" in spread.text) == (58.1, 0.5, True)
    plain = load("malihi2023")["Table 1", "SimKD", "ResNet101 > ResNet50"]
    assert (plain.value, plain.unit, plain.spread, plain.note) == (59.12, "%", None, "")


@every_paper
def test_no_cell_is_there_twice(paper: str) -> None:
    cells = Counter((line["table"], line["row"], line["column"]) for line in lines(paper))
    assert [cell for cell, count in cells.items() if count > 1] == []


@every_paper
def test_every_table_has_its_cells(paper: str) -> None:
    assert Counter(line["table"] for line in lines(paper)) == CELLS[paper]


@every_paper
def test_a_figure_is_in_the_range_of_its_unit(paper: str) -> None:
    assert set(RANGES) == set(UNITS)
    for figure in load(paper).values():
        low, high = RANGES[figure.unit]
        assert low <= figure.value <= high, figure


@every_paper
def test_a_figure_names_its_source_in_a_short_text(paper: str) -> None:
    for figure in load(paper).values():
        assert figure.source.startswith("https://")
        assert 0 < len(figure.text) <= 200
        assert figure.text == folded(figure.text)


@every_paper
def test_a_figure_of_running_text_stands_in_it_as_a_number_of_its_own(paper: str) -> None:
    for line in lines(paper):
        if line["table"] in RUNNING:
            figure = re.escape(WORDS.get(line["value"], line["value"]))
            assert re.search(rf"(?<![\d.]){figure}(?!\d|\.\d)", line["text"]), line


@every_paper
def test_the_figures_of_a_tables_text_stand_in_it_in_order_and_none_is_left_out(paper: str) -> None:
    by_text: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines(paper):
        if line["table"] not in RUNNING:
            by_text[line["table"], line["text"]].append(line)
    for (_, text), cells in by_text.items():
        rest = "".join(text.split())
        for line in cells:
            before, found, rest = rest.partition(line["value"])
            assert found, line
            assert LABEL.fullmatch(before), line
            assert not re.search(r"\d\.\d", before.replace("87.5", "")), line
            rest = rest.removeprefix(f"±{line['spread']}")
        assert not re.search(r"\d\.\d|^\d\d", rest), text


def test_the_rank_of_a_layer_joins_its_two_halves() -> None:
    ranks = [line for line in lines("slimnets2018") if line["column"] == "rank"]
    assert [line["row"] for line in ranks] == [f"conv{number}" for number in range(1, 17)]
    for line in ranks:
        halves = rf"{line['row']}_v \d+{TIMES}{line['value']} {line['row']}_h {line['value']}{TIMES}\d+"
        assert re.fullmatch(halves, line["text"], re.IGNORECASE), line


@every_paper
def test_every_text_stands_in_its_source(paper: str) -> None:
    if "PARETUNE_PAPERS" not in os.environ:
        pytest.skip("PARETUNE_PAPERS names no folder of sources")
    folder = Path(os.environ["PARETUNE_PAPERS"])
    assert folder.is_dir()
    sources = sorted(folder.glob(SOURCES[paper]))
    if not sources:
        pytest.skip(f"no {SOURCES[paper]} in PARETUNE_PAPERS")
    read = [folded(source.read_text(encoding="utf-8")) for source in sources]
    for line in lines(paper):
        assert any(line["text"] in text for text in read), line
