"""A table fits its terminal: nothing is cut."""

from __future__ import annotations

import pytest
from rich.console import Console

from paretune.words.fitted_table import Brief, Column, FittedTable, figures
from search.selection.amount import parse_amount

COLUMNS = (
    Column("point", words=True),
    Column("trial", rank=2),
    Column(Brief("validation", "val.")),
    Column("share", rank=1, note="share: of all"),
    Column("recipe", words=True, wraps=True),
)


def lines(width: int) -> list[str]:
    table = FittedTable(COLUMNS, title="a title")
    table.add_row(
        "b26c5821", "10", Brief("1,271,424", "1.27M"), "50%", "resnet20 x0.5, [kd] from resnet56, l1-filter 45%"
    )
    console = Console(width=width)
    with console.capture() as said:
        console.print(table)
    return [line.rstrip() for line in said.get().splitlines()]


def test_a_wide_terminal_has_all_columns_in_a_line() -> None:
    head, _, row = lines(120)[2:5]
    assert head.split() == ["point", "trial", "validation", "share", "recipe"]
    assert row == "b26c5821     10   1,271,424    50%  resnet20 x0.5, [kd] from resnet56, l1-filter 45%"
    assert lines(120)[-1] == "share: of all"


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (70, ["point", "trial", "validation", "share", "recipe"]),
        (56, ["point", "trial", "val.", "share", "recipe"]),
        (50, ["point", "val.", "share", "recipe"]),
        (42, ["point", "val.", "recipe"]),
        (30, ["point", "val."]),
    ],
)
def test_columns_of_less_use_are_left_out_first(width: int, heads: list[str]) -> None:
    assert lines(width)[2].split() == heads


@pytest.mark.parametrize("width", range(25, 121, 5))
def test_no_line_is_longer_than_the_terminal_and_no_word_is_cut(width: int) -> None:
    said = lines(width)
    assert max(map(len, said)) <= width
    words = " ".join(said).split()
    assert {"b26c5821", "resnet56,", "l1-filter", "45%"} <= set(words)
    assert not any("…" in word for word in words)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (74, "74"),
        (999, "999"),
        (1000, "1k"),
        (5554, "5.56k"),
        (999_499, "1M"),
        (999_900, "1M"),
        (26.2e6, "26.2M"),
        (4.1e9, "4.1G"),
        (3e12, "3T"),
        (0.5, "0.5"),
    ],
)
def test_a_figure_in_three_digits_is_one_that_a_budget_takes(count: float, text: str) -> None:
    assert figures(count) == text


def test_a_table_that_is_still_too_wide_goes_on_below_itself() -> None:
    table = FittedTable([Column("layer", words=True), *(Column(f"model {n}") for n in range(5))])
    table.add_row("stage1.0", *(f"{n}6/32, r 1" for n in range(5)))
    console = Console(width=40)
    with console.capture() as said:
        console.print(table)
    lines = [line.rstrip() for line in said.get().splitlines()]
    assert max(map(len, lines)) <= 40
    rows = [line.split()[1:] for line in lines if line.startswith("stage1.0")]
    assert " ".join(word for row in rows for word in row) == "06/32, r 1 16/32, r 1 26/32, r 1 36/32, r 1 46/32, r 1"
    assert sum(line.startswith("layer") for line in lines) == len(rows) == 3


@pytest.mark.parametrize("count", [5554, 3494, 1702, 272_186, 999_001, 25_557_032, 4_123_456_789, 1000, 20_000])
def test_a_figure_typed_back_as_a_bound_admits_the_model_it_was_read_from(count: int) -> None:
    assert count <= parse_amount(figures(count)).value <= 1.01 * count
