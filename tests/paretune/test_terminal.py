"""Sentences in a terminal break between words; in a pipe every line stays whole."""

from __future__ import annotations

import io

import pytest

from paretune.words.terminal import say
from tests.search.test_wrapping import read_by_a_shell

PROSE = "one notch more: " + "word " * 40
COMMAND = "take: paretune select demo --max-params 1000 --export out/ --home /a/rather/long/folder/that/goes/on/and/on"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_words_whole_and_the_indent_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    say(f"  {PROSE}\n{COMMAND}")
    *lines, first, last = screen.getvalue().splitlines()
    assert len(lines) > 2
    assert all(len(line) <= 80 and line.startswith("  ") for line in lines)
    assert " ".join(line.strip() for line in lines) == PROSE.strip()
    assert read_by_a_shell(f"{first}\n{last}") == COMMAND.split()


def test_a_pipe_gets_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say(PROSE, err=True)
    assert capsys.readouterr().err == f"{PROSE}\n"
