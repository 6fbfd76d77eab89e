"""The grid's page: from Python and at the command line the same study, the same table, the same model again."""

from __future__ import annotations

import json
import re

import pytest

from tests.examples.conftest import Typed, commands

SEARCH, TABLE, RECIPE, RUN, PROGRAM = commands("grid")
QUICK = "--epochs 1 --recovery-epochs 1 --seeds 2"


@pytest.fixture(scope="module")
def made(typed: Typed) -> str:
    """What the program prints."""
    return typed(PROGRAM, f"{QUICK} --out program.tex")


def test_the_table_of_the_program_has_every_cell_with_its_deviation(made: str, typed: Typed) -> None:
    assert re.search(r"program.tex written; the best at 50%: 0\.\d+ over 2 seeds\nmade again: True\n$", made)
    rows = [line for line in typed("cat program.tex").splitlines() if line.startswith(("at &", "kd &"))]
    assert [row.count(r"$\pm$") for row in rows] == [3, 3]


def test_the_command_line_says_the_same_study_and_prints_the_same_table(made: str, typed: Typed) -> None:
    typed(SEARCH, f"{QUICK} --resume")  # refused, were a choice or a setting another
    typed(TABLE)
    written, programmed = (typed(f"grep -v '^% Only' {name}.tex") for name in ("table", "program"))
    assert written == programmed


@pytest.mark.slow
def test_a_printed_recipe_runs_with_more_seeds(made: str, typed: Typed) -> None:
    point = json.loads(typed(".venv/bin/paretune front grid --json"))["points"][-1]["id"]
    typed(re.sub("(?<=recipe grid )[0-9a-f]+", point, RECIPE))
    typed(RUN.replace("--name again", "--name more"), "--seeds 2")
    trials = json.loads(typed(".venv/bin/paretune trials more --json"))
    assert sorted(trial["recipe"]["seed"] for trial in trials if trial["choices"].get("name") == "small") == [0, 1]
    assert point in {each["id"] for trial in trials for each in trial["points"]}
