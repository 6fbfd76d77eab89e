"""A search with a bound on latency: how many of its trials have no model within, as measured alone afterwards.

    python -m benchmarks.latency_search [--task digits] [--bound 30%] [--trials 24] [--home build/latency]

The search foresees latencies before it trains. Afterwards every model of every trial is exported and timed alone on the
target. Writes `benchmarks/results/latency_search.md`. Trainings are short: costs matter here, not qualities.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

import paretune
from benchmarks.bars import Row, table
from benchmarks.machine import machine
from compress.data.tasks import load_task
from compress.latency.target import Target
from search.selection.latencies import measured
from search.study.record import StudyRecord

RESULTS = Path(__file__).parent / "results" / "latency_search.md"
OUTSIDE = 0.1
"""Share of trials without a model within the bound that is not to be reached."""


def rows(record: StudyRecord, share: float) -> list[Row]:
    """Time all models alone, and hold the trials against the bound, a share of the teacher's latency."""
    target = Target.parse(record.target)
    task = load_task(record.task)
    found = {key: median for key, (median, _) in measured(record, record.points, lambda: task, target).items()}
    assert record.teacher is not None
    teacher, foreseen_teacher = found[record.teacher.id], record.header["reference_point"]["latency_ms"]
    tried = [trial for trial in record.trials[1:] if trial.points]
    outside = [t for t in tried if min(found[point.id] for point in t.points) > share * teacher]
    absolute = [t for t in tried if min(found[point.id] for point in t.points) > share * foreseen_teacher]
    pairs = [(p.measured.latency_ms, found[p.id]) for p in record.points if p.id not in record.timed]
    foreseen, alone = np.array(pairs).T
    return [
        Row(
            f"trials without a model within {share:.0%} of the teacher's latency, both measured alone",
            f"under {OUTSIDE:.0%}",
            f"{len(outside)} of {len(tried)}",
            len(outside) < OUTSIDE * len(tried),
        ),
        Row("the same against the bound in ms as foreseen before the search", "", f"{len(absolute)} of {len(tried)}"),
        Row("teacher, measured alone and foreseen", "", f"{teacher:.3g} and {foreseen_teacher:.3g} ms"),
        Row("median error of the models' foreseen latencies", "", f"{np.median(abs(foreseen / alone - 1)):.1%}"),
        Row("Kendall's tau of foreseen and measured, models of one space", "", f"{kendalltau(foreseen, alone)[0]:.3f}"),
    ]


def main() -> None:
    """Search, measure, write the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--task", default="digits")
    asked.add_argument("--bound", default="30%")
    asked.add_argument("--trials", type=int, default=24)
    asked.add_argument("--home", type=Path, default=Path("build/latency"))
    asked.add_argument("--out", type=Path, default=RESULTS)
    given = asked.parse_args()
    shutil.rmtree(given.home / "studies", ignore_errors=True)
    record = paretune.search(
        "bounded",
        home=given.home,
        task=given.task,
        trials=given.trials,
        max_latency_ms=given.bound,
        objectives=("quality", "latency_ms", "params"),
        epochs=2,
        recovery_epochs=1,
        show=False,
    )
    found = rows(record, float(given.bound.removesuffix("%")) / 100)
    lines = [
        "# A search with a bound on latency",
        "",
        f"`python -m benchmarks.latency_search --task {given.task} --bound {given.bound} --trials {given.trials}` on "
        f"{machine()}: space joint, target {record.target}, {len(record.points)} models.",
        "",
        table(found),
    ]
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
