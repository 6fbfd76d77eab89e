"""The report of the benchmark, from results on the disk; what was not measured is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bars import table
from benchmarks.goals import curves, distillers, fidelity, speed
from benchmarks.goals.cases import Case
from benchmarks.goals.record import Missing, Record

COMPARED = (
    "p: probability of such a difference by chance (paired t test, two sides). Worse or better: beyond the interval; "
    "bold: p below {chance:g} divided by the {count} comparisons of the table. Chosen: the best of {choices} on "
    "validation, one training each with seed {seed}, which has no part in the comparison."
)


@dataclass(frozen=True)
class Asked:
    """Numbers of seeds, the file of the heads, and the earlier checkout; None for neither."""

    seeds: int
    curve_seeds: int
    heads: Path | None = None
    before: Path | None = None

    @property
    def words(self) -> str:
        """Return the options of the command."""
        words = [f"--seeds {self.seeds} --curve-seeds {self.curve_seeds}"]
        words += ["--head-pose FILE.npz"] * bool(self.heads) + ["--before DIR"] * bool(self.before)
        return " ".join(words)


def report(record: Record, cases: Sequence[Case], asked: Asked) -> str:
    """Return Markdown with a section a part; `record` has no home, so nothing is trained."""
    on = "; ".join(record.machines) or "no machine yet"
    text = f"# Goals other than accuracy\n\n`python -m benchmarks.goals {asked.words}` on {on}; one torch thread.\n"
    for case in cases:
        text += "\n" + teaching_section(record, case, asked.seeds)
    for case in cases:
        text += "\n" + curve_section(record, case, asked.curve_seeds)
    bars = [row for what, found in fidelity.recorded(record).items() for row in fidelity.rows(what, found)]
    text += "\n## Figures inside and outside\n\n"
    text += (
        "Networks trained in plain torch by AdamW, then the first trial of `paretune.search`: the task by a function "
        "of a file, the weights by `NAME@FILE`, no epoch of training. Outside, R2 and mIoU are computed by numpy.\n\n"
    )
    text += (table(bars) if bars else "Not measured.") + "\n\n## A step of classification\n\n"
    try:
        steps = speed.recorded(record)
    except Missing:
        return text + "Not measured.\n"
    text += (
        f"{steps['after']} against {steps['before']}, from before goals, SGD, cross entropy: two processes take turns, "
        "one thread each; seconds of the processor.\n\n"
    )
    return text + table(list(speed.rows(steps["seconds"]))) + "\n"


def teaching_section(record: Record, case: Case, seeds: int) -> str:
    """Return the table of the distillers, with the verdict in words."""
    task, training = case.task, case.training
    title = f"## Distillers on {task.name}\n\n"
    try:
        rows, missing = distillers.known(record, case, seeds)
    except Missing:
        return title + "Not measured.\n"
    about = (
        f"{task.summary}. Student {case.student}, teacher {case.teacher}, {training.epochs} epochs in batches of "
        f"{training.batch_size} each. Mean and deviation of {seeds} seeds, each with a teacher of its own; the best "
        f"constant answer has {task.quality.text(task.quality.zero)}.\n\n"
    )
    count, choices = len(distillers.compared(rows)), len(distillers.SHARES)
    legend = COMPARED.format(
        chance=distillers.CHANCE, count=count, choices=f"{choices} settings", seed=distillers.CHOOSING
    )
    text = title + about + "\n".join(distillers.table(rows, task.quality.unit)) + f"\n\n{legend}\n"
    text += f"\n{distillers.in_words(rows, task.name)}\n" if count else ""
    return text + (f"\n**Not measured: {', '.join(missing)}.**\n" if missing else "")


def curve_section(record: Record, case: Case, seeds: int) -> str:
    """Return the curves and their breakpoints."""
    task, quality = case.task, case.task.quality
    title = f"## Pruning curves on {task.name}\n\n"
    try:
        found = curves.curves(record, case, seeds)
    except Missing:
        return title + "Not measured.\n"
    about = (
        f"{case.cut}, {case.training.epochs} epochs, then filters cut along the exponential schedule, "
        f"{case.recovery.epochs} epochs of recovery a level. MAE on test in {quality.unit}, mean and deviation of "
        f"{seeds} seeds.\n\n"
    )
    text = title + about + "\n".join(curves.table(found, quality)) + "\n\n"
    text += (
        "Breakpoints, read on validation: the largest sparsity whose MAE is at most so much above the uncut network's "
        f"({' and '.join(f'{loss:.0%}' for loss in curves.LOSSES)} of the best constant answer's, the first by "
        "default), and the knee of the curve.\n\n"
    )
    return text + "\n".join(curves.breakpoint_table(found, quality)) + "\n"
