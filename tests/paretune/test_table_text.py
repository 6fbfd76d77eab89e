"""A table as markdown, LaTeX and CSV: every sign of the words escaped, and notes on what the cells do not say."""

from __future__ import annotations

import csv as read_csv
import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from paretune.words.table_text import FORMATS, STAR, csv, fitted, latex, markdown, notes, title
from search.study.record import StudyRecord
from search.study.table import StudyTable
from search.study.tabulate import tabulate
from tests.search.grids import curve, grid, plain_teacher, point, recipe, study, trial


@pytest.fixture
def found() -> StudyTable:
    return tabulate(grid(), ("distiller",), ("sparsity",))


def odd(name: str) -> StudyTable:
    """A table with a hostile name of a row."""
    made = recipe()
    record: StudyRecord = study(trial(1, made, [point("a", 1, made, 0.5)], {"own": name}))
    return tabulate(record, ("own",))


def test_markdown_has_means_deviations_the_best_in_bold_and_a_dash_for_none(found: StudyTable) -> None:
    lines = markdown(found).splitlines()
    assert lines[0] == "grid: accuracy on test in %, distiller by sparsity; mean ± standard deviation over 3 seeds"
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:6]] == [
        ["distiller", "0%", "45%", "90%"],
        ["---------", "---------------:", "---------------:", "-----------:"],
        ["at", "**95.00 ± 2.00**", "89.00 ± 2.00", "-"],
        ["kd", "94.00 ± 1.00", "**92.00 ± 1.00**", "84.00 ± 1.00"],
    ]
    assert len({len(line) for line in lines[2:6]}) == 1


def test_notes_name_the_rule_what_is_missing_and_the_teacher(found: StudyTable) -> None:
    assert notes(found) == [
        "Bold: the highest mean of each column.",
        "-: no model of at at 90%.",
        "The plain teacher: 97.00.",
    ]


def test_latex_is_a_tabular_of_booktabs(found: StudyTable) -> None:
    lines = [line for line in latex(found).splitlines() if not line.startswith("%")]
    assert lines == [
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"& \multicolumn{3}{c}{sparsity} \\",
        r"\cmidrule(lr){2-4}",
        r"distiller & 0\% & 45\% & 90\% \\",
        r"\midrule",
        r"at & \textbf{95.00 $\pm$ 2.00} & 89.00 $\pm$ 2.00 & -- \\",
        r"kd & 94.00 $\pm$ 1.00 & \textbf{92.00 $\pm$ 1.00} & 84.00 $\pm$ 1.00 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize("name", [r"a&b", "50%", "x_y", "#1", "$5", "{z}", "a~b", "a^b", "<i>", r"\input{x}"])
def test_every_sign_of_a_word_is_escaped_for_latex(name: str) -> None:
    (row,) = (line for line in latex(odd(name)).splitlines() if line.endswith("49.00 \\\\"))
    word = row.removesuffix(" & 49.00 \\\\")
    assert not re.search(r"(?<!\\)[&%$#_]|[~^<>]", word)
    assert r"\input" not in word


def test_a_word_breaks_no_line_and_no_column() -> None:
    table = odd("a|b\nc\n% d")
    assert "| a\\|b c % d |" in markdown(table)
    assert all(line.startswith(("%", "\\", "own", "a")) for line in latex(table).splitlines())


def test_csv_has_plain_numbers_and_a_line_for_each_place(found: StudyTable) -> None:
    rows = list(read_csv.DictReader(io.StringIO(csv(found))))
    assert len(rows) == 6
    assert (rows[0]["distiller"], rows[0]["sparsity"], rows[0]["seeds"], rows[0]["is_best"]) == (
        "at",
        "0.0",
        "3",
        "True",
    )
    assert float(rows[0]["mean"]) == pytest.approx(0.95)
    assert (rows[2]["mean"], rows[2]["deviation"], rows[2]["seeds"]) == ("", "", "0")


def test_where_cells_have_other_numbers_of_seeds_the_number_is_in_brackets() -> None:
    record = grid()
    fewer = replace(record, trials=record.trials[:-1])
    table = tabulate(fewer, ("distiller",), ("sparsity",))
    assert title(table).endswith("mean ± standard deviation over up to 3 seeds, their number in brackets")
    assert "96.00 ± 1.41 (2)" in markdown(table)


def test_one_seed_has_no_deviation() -> None:
    table = tabulate(study(plain_teacher(), curve(1, recipe(), {0.9: 0.9})), ("distiller",), value="params")
    assert title(table) == "grid: parameters, distiller; of one seed"
    assert "|    100 |" in markdown(table)


def test_several_recipes_in_a_cell_are_said_with_what_tells_them_apart() -> None:
    (note,) = (one for one in notes(tabulate(grid(), ("distiller",))) if "recipes" in one)
    assert note == (
        "Several recipes in 2 of 2 cells, up to 3: the best on validation is shown. They differ in sparsity; "
        "--only NAME=VALUE or a further name in --rows tells them apart."
    )


def test_rows_and_columns_of_several_names_are_told_apart() -> None:
    table = tabulate(grid(), ("distiller", "student"), ("pruner", "sparsity"))
    assert "| distiller | student   | pruner l1-filter, sparsity 0% |" in markdown(table)


def test_what_is_left_out_restricted_or_running_is_said() -> None:
    record = grid()
    running = replace(record.trials[3], status="running", id=9)
    other = trial(7, recipe("at"), [point("odd", 7, recipe("at", 0.1), 0.9)], {"own": 1, "lr": 0.1})
    said = notes(tabulate(study(*record.trials, running, other), ("own",), only=["lr=.05,.1"]))
    assert said[-4:] == [
        "Left out: 5 models without own.",
        "Only lr=.05,.1.",
        "The plain teacher: 97.00.",
        "1 trial is still running.",
    ]


def test_every_format_ends_without_an_empty_line(found: StudyTable) -> None:
    assert all(not write(found).endswith("\n") for write in FORMATS.values())


def test_a_table_of_many_columns_says_how_to_have_fewer() -> None:
    many = curve(1, recipe(), {n / 20: 0.9 for n in range(13)})
    table = tabulate(study(plain_teacher(), many), ("distiller",), ("sparsity",))
    assert markdown(table).splitlines()[1:3] == ["13 columns: --only sparsity=VALUE,VALUE keeps some.", ""]


def test_a_narrow_terminal_gets_the_table_below_itself_with_the_rows_named_again() -> None:
    shares = [0.106, 0.112, *(n / 20 for n in range(3, 15))]
    table = tabulate(
        study(plain_teacher(), curve(1, recipe(), dict.fromkeys(shares, 0.9))), ("distiller",), ["sparsity"]
    )
    console = Console(width=40)
    with console.capture() as said:
        console.print(fitted(table))
    lines = [line.rstrip() for line in said.get().splitlines()]
    assert max(map(len, lines)) <= 40
    heads = [line.split() for line in lines if line.startswith("distiller")]
    assert len(heads) > 1
    assert [word for head in heads for word in head[1:]] == [f"{share:.1%}" for share in shares]


def test_the_best_of_a_column_has_a_star_where_no_letters_are_bold(found: StudyTable) -> None:
    assert [row[1] for row in fitted(found).rows] == ["95.00 ± 2.00*", "94.00 ± 1.00"]
    assert [column.head for column in fitted(found).columns] == ["distiller", "0%", "45%", "90%"]
    assert notes(found, STAR)[0] == "*: the highest mean of each column."
