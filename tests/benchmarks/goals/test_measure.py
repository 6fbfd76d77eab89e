"""Wrong arguments of the benchmark of goals end in a sentence, with nothing written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.goals.measure import main

WRONG = [
    (["--head-pose", "none.npz"], "head-pose: must be an .npz file with images and pose, got none.npz"),
    (["--head-pose", "other.npz"], "head-pose: must be an .npz file with images and pose, got other.npz"),
    (["--head-pose", "text.npz"], "head-pose: must be an .npz file with images and pose, got text.npz"),
    (["--before", "."], "before: must be a checkout of Paretune, with benchmarks/steps.py, got ."),
    (["--part", "all"], "argument --part: invalid choice: 'all'"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_wrong_arguments_are_refused(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("other.npz", faces=np.zeros(3))
    Path("text.npz").write_text("no array")
    monkeypatch.setattr(sys, "argv", ["goals", *arguments, "--recorded", "lines.jsonl", "--out", "goals.md"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not Path("lines.jsonl").exists()
    assert not Path("goals.md").exists()
