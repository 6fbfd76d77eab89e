"""Goals other than accuracy: distillers and pruners in mean absolute error, fidelity, and the speed of a step.

    python -m benchmarks.goals [--part distillers curves fidelity speed] [--head-pose FILE.npz] [--before DIR]
                               [--seeds 5] [--curve-seeds 3] [--home DIR] [--recorded FILE] [--out FILE]

distillers: each against the same student trained plain for as long, at published settings and at settings chosen on
validation with another seed. curves: three pruners, with breakpoints. Both run on `digits-angle`, and with
`--head-pose` on the heads of an `.npz` file: `images` (698, 32, 32) uint8, `pose` (698, 3), standardised. fidelity: the
quality of networks trained outside, there and in a search. speed: a step of classification here and in `--before`, a
checkout of an earlier commit.

Each training is a line of `benchmarks/recorded/goals.jsonl` and is not repeated: delete a line to measure anew. With
`--home` an interrupted run finds its teachers again. One thread; some twenty minutes of a core. The report
`benchmarks/results/goals.md` is written from the lines; `--part` without a part writes the report alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.goals import curves, distillers, fidelity, speed
from benchmarks.goals.cases import Case, angle_case, head_case
from benchmarks.goals.record import RECORDED, Record
from benchmarks.goals.report import Asked, report

RESULTS = Path(__file__).parents[1] / "results" / "goals.md"
PARTS = ("distillers", "curves", "fidelity", "speed")


def carry_out(record: Record, cases: Sequence[Case], asked: Asked, parts: Sequence[str]) -> None:
    """Make the results of the parts that are not in the record."""
    if "fidelity" in parts:
        fidelity.results(record, asked.heads)
    if "speed" in parts and asked.before:
        speed.result(record, asked.before)
    for case in cases:
        if "curves" in parts:
            curves.curves(record, case, asked.curve_seeds)
        if "distillers" in parts:
            distillers.compare(record, case, asked.seeds)


def main() -> None:
    """Carry out the parts asked for, print and write the report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--part", nargs="*", choices=PARTS, default=PARTS)
    options.add_argument("--head-pose", type=Path)
    options.add_argument("--before", type=Path)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--curve-seeds", type=int, default=3)
    options.add_argument("--home", type=Path)
    options.add_argument("--recorded", type=Path, default=RECORDED)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    asked = Asked(chosen.seeds, chosen.curve_seeds, chosen.head_pose, chosen.before)
    try:
        cases = [angle_case(), *([head_case(chosen.head_pose)] if chosen.head_pose else [])]
        if chosen.before:
            speed.check(chosen.before)
    except ValueError as error:
        options.error(str(error))
    with tempfile.TemporaryDirectory() as folder:
        carry_out(Record(chosen.recorded, chosen.home or Path(folder)), cases, asked, chosen.part)
    text = report(Record(chosen.recorded), cases, asked)
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
