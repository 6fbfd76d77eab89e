"""Steps are timed in two processes that take turns, a checkout each."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.goals.speed import HERE, measured


@pytest.mark.slow
def test_the_same_checkout_twice_is_about_as_fast() -> None:
    found = measured(HERE, rounds=3)
    assert found["before"] == found["after"]
    for before, after in found["seconds"].values():
        assert len(before) == len(after) == 3
        assert 0.5 < min(after) / min(before) < 2


def test_a_folder_without_the_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="before: must be a checkout of Paretune, with benchmarks"):
        measured(tmp_path, rounds=1)


def test_a_process_that_ends_is_told(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "steps.py").write_text("raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="speed: a process must time steps, it ended with code 3"):
        measured(tmp_path, rounds=1)
