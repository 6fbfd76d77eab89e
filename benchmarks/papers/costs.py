"""The page of what papers' studies cost: time, trials, trainings, the longest trial, the largest worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.table_forms import markdown_lines

HEAD = (
    "paper",
    "task",
    "part",
    "seeds",
    "minutes",
    "trials",
    "failed",
    "cells empty",
    "trainings made",
    "of",
    "longest trial, s",
    "its recipe",
    "largest worker, MiB",
    "machine",
)
WORDS = 3
TRIAL_RUN = "trial run, published"


def page(recorded: Path) -> str:
    """Return the page in markdown; of a study recorded more than once the last line counts."""
    lines = [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
    last = {(_part(line), line["paper"], line["task"]): line for line in lines}
    rows = [_row(line) for _, line in sorted(last.items())]
    text = [
        "# What the studies cost",
        "",
        "`python -m benchmarks.papers`, a line a study, from `benchmarks/recorded/papers.jsonl`. A study that went on "
        "where it was stopped counts the time of its last run alone. Trainings made are fewer than those that the "
        "recipes need one by one (of): recipes share them. The largest worker is the greatest resident memory of a "
        f"process. `{TRIAL_RUN}`: every recipe of the published scale, an epoch on a few images.",
        "",
        *markdown_lines(HEAD, rows, WORDS),
    ]
    return "\n".join(text) + "\n"


def _part(line: Mapping[str, Any]) -> str:
    scale = TRIAL_RUN if line.get("trial_run") else str(line["scale"])
    return f"{scale}, {'; '.join(line['only'])}" if line["only"] else scale


def _row(line: Mapping[str, Any]) -> list[str]:
    longest = ", ".join(str(value) for name, value in line["longest"].items() if name != "seed")
    figures = (line["seeds"], f"{line['seconds'] / 60:.1f}", line["trials"], len(line["failed"]), line["missing_cells"])
    work = (line["trainings_made"], line["trainings_alone"], f"{line['longest_s']:.0f}", longest or "the plain teacher")
    return [
        line["paper"],
        line["task"],
        _part(line),
        *map(str, figures),
        *map(str, work),
        f"{line['largest_worker_mb']:,}",
        line["machine"],
    ]
