"""Long lines break between words; a command that is broken can be pasted, a text in backticks stays in one piece."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from search.wrapping import wrapped

COMMAND = "take: paretune select demo --max-params 1009 --export out/ --home '/a rather/long folder' --data /other"


def read_by_a_shell(text: str) -> list[str]:
    words = ["sh", "-c", f'set -- {text}\nprintf "%s\\n" "$@"']
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_command_over_several_lines_is_the_same_command_for_a_shell(width: int) -> None:
    lines = wrapped(COMMAND, width)
    assert len(lines) > 1
    assert all(len(line) <= width for line in lines)
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert read_by_a_shell("\n".join(lines)) == shlex.split(COMMAND)


def test_a_path_with_an_apostrophe_stays_one_word_of_the_command() -> None:
    command = shlex.join(
        ["paretune", "select", "demo", "--home", "/home/it's a home", "--export", "/a/long/folder/for it"]
    )
    assert read_by_a_shell("\n".join(wrapped(command, 50))) == shlex.split(command)


def test_prose_keeps_its_indent_and_its_words() -> None:
    prose = "  one notch more: --max-params 4148 buys trial 2 at 33.8 %, 1.39 points more on validation, " * 2
    lines = wrapped(prose, 60)
    assert all(line.startswith("  ") and len(line) <= 60 and not line.endswith("\\") for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(prose.split())


def test_a_text_in_backticks_is_not_broken() -> None:
    said = "the disk is full; what is finished is kept, once there is room (`paretune clean demo --home x` may make)"
    assert any("(`paretune clean demo --home x`" in line for line in wrapped(said, 60))


def test_a_word_longer_than_the_terminal_stays_whole() -> None:
    address = f"MLflow: http://127.0.0.1:5000/{'x' * 80}"
    assert wrapped(address, 40) == ["MLflow:", address.split()[1]]


def test_a_line_that_fits_is_as_it_was() -> None:
    assert wrapped("   a  b ", 80) == ["   a  b "]
    assert wrapped(" " * 100, 80) == [" " * 100]
