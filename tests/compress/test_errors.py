"""Quotations of exceptions: type, first sentence, place in the user's own file; cut between words alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from compress.errors import is_complaint, place_of, said, shortened
from compress.goals import Classification
from compress.models import Model
from compress.own_code import import_module


def raised(function: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as found:  # noqa: PT011
        function()
    return found.value


def test_the_place_is_the_innermost_of_the_users_own_files(source: Callable[[str, str], None]) -> None:
    source("inner.py", "def fails():\n    return [][1]\n")
    source("outer.py", "import inner\ndef make():\n\n    return inner.fails()\n")
    error = raised(import_module("outer.py:make", "outer").make)
    assert said(error) == "IndexError: list index out of range (inner.py line 2)"


def test_an_error_below_a_library_has_the_place_of_the_call(source: Callable[[str, str], None]) -> None:
    source("calls.py", "import torch\ndef make():\n    torch.nn.Linear(3, 2)(torch.zeros(1, 4))\n")
    error = raised(import_module("calls.py:make", "calls").make)
    assert place_of(error) == "calls.py line 3"


def test_a_complaint_of_this_project_is_told_from_an_error_of_the_users() -> None:
    assert is_complaint(raised(lambda: Classification(("one",))))
    assert is_complaint(raised(lambda: Model("none")))
    assert not is_complaint(raised(lambda: int("x")))
    assert place_of(ValueError("never raised")) == ""


def test_a_list_begun_in_the_first_line_is_quoted_to_its_end() -> None:
    error = ValueError(
        "Detected the values in `target`: tensor([ 0,\n         1]) but expected [0, 1].\nTraceback follows"
    )
    assert said(error) == "ValueError: Detected the values in `target`: tensor([ 0, 1]) but expected [0, 1]."
    assert said(ValueError("first line\nsecond line")) == "ValueError: first line"


def test_no_text_is_cut_in_a_word_or_a_list() -> None:
    numbers = str(torch.arange(400).tolist())
    assert said(ValueError(f"got {numbers}")).endswith(" 74, 75, ...] ...")
    assert shortened("all of these are words", 15) == "all of these ..."
    assert shortened("short", 5) == "short"
    assert shortened("x" * 20, 10) == "x" * 10 + " ..."
    assert shortened(f"got {'(' * 20}", 10) == f"got {'(' * 6} ..."
