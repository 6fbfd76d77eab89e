"""The page of costs: a line a study, the newest of each, whole grids apart from parts and trial runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.papers.costs import page

LINE: dict[str, Any] = {
    "paper": "chen2021",
    "task": "digits",
    "scale": "small",
    "seeds": 3,
    "only": [],
    "seconds": 90.0,
    "trials": 4,
    "failed": [],
    "longest_s": 12.4,
    "longest": {"method": "KD", "seed": 1},
    "largest_worker_mb": 1500,
    "trainings_alone": 9,
    "trainings_made": 6,
    "missing_cells": 0,
    "machine": "here",
}


def test_of_a_study_recorded_twice_the_newest_counts(tmp_path: Path) -> None:
    file = tmp_path / "papers.jsonl"
    lines = [LINE, {**LINE, "seconds": 30.0}, {**LINE, "trial_run": True, "longest": {}}, {**LINE, "only": ["a=1"]}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in page(file).splitlines() if "chen2021" in row]
    assert [row[2] for row in rows] == ["small", "small, a=1", "trial run, published"]
    figures = ["3", "0.5", "4", "0", "0", "6", "9", "12", "KD", "1,500", "here"]
    assert rows[0][3:] == figures
    assert rows[2][9 + 2] == "the plain teacher"
